"""The frames that were shown, each once: checked, numbered, and there to be seen again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from calibration.looker import Seen
from calibration.shown import Shown, frame_digest
from calibration.spill import Spill
from models.errors import InputError
from models.images import read_rgb
from models.pixel_format import PixelFormat


@dataclass(frozen=True)
class _Entry:
    slot: int
    name: str
    part: str
    path: Path | None
    pixel_format: PixelFormat


class Gallery:
    """Frames of (height, width); those that have no file of their own are spilled."""

    def __init__(self, folder: Path, height: int, width: int) -> None:
        self._folder = folder
        self._size = height, width
        self._entries: dict[str, _Entry] = {}  # by digest
        self._pixels: Spill | None = None
        self._format: PixelFormat | None = None  # of those that are spilled
        self.duplicates = 0

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pixels is not None:
            self._pixels.close()

    def admit(self, frames: Iterable[Shown], total: int | None) -> Iterator[tuple[Shown, int]]:
        """Yield each frame that was not shown before, with its number; of at most ``total``.

        Raises ``InputError`` for what ``check`` does, a mix of pixel formats, or a full disk.
        """
        for shown in frames:
            self.check(shown)
            entry = self._entries.get(shown.digest)
            if entry is not None:
                self.duplicates += 1
                # Of all its names the first by alphabet: whichever was shown first.
                part, name, path = min(
                    (entry.part, entry.name, entry.path),
                    (shown.part, shown.name, shown.path),
                    key=str,
                )
                self._entries[shown.digest] = replace(entry, part=part, name=name, path=path)
                continue
            slot = len(self._entries)
            if shown.path is None:
                self._keep(shown, slot, total)
            self._entries[shown.digest] = _Entry(
                slot, shown.name, shown.part, shown.path, shown.pixel_format
            )
            yield shown, slot

    def check(self, shown: Shown) -> None:
        """Raise ``InputError`` for a frame of another size, or one that shows nothing."""
        where = shown.path or shown.name
        height, width = self._size
        if shown.pixels.shape[:2] != (height, width):
            raise InputError(
                f"{where}: {shown.pixels.shape[1]} x {shown.pixels.shape[0]} pixels, but the bundle"
                f" inspects {width} x {height}"
            )
        if shown.pixels.shape != shown.pixel_format.shape(height, width):
            raise InputError(
                f"{where}: an array of {shown.pixels.shape} is no frame of {shown.pixel_format}"
            )
        lowest = shown.pixels.min()
        if lowest == shown.pixels.max():
            raise InputError(
                f"{where}: every pixel is {lowest}, so that the frame shows nothing; look at lens,"
                " light and exposure, and leave it out"
            )

    def labelled(self, seen: Sequence[Seen]) -> list[Seen]:
        """Give what was seen under the names that count, where a frame was shown under several."""
        found = []
        for one in seen:
            entry = self._entries[one.digest]
            found.append(replace(one, name=entry.name, part=entry.part))
        return found

    def read(self, digest: str) -> Shown:
        """Give a frame again; raises ``InputError`` if its file is no longer what it was."""
        entry = self._entries[digest]
        if entry.path is not None:
            pixels = read_rgb(entry.path)
            if frame_digest(pixels, entry.pixel_format) != digest:
                raise InputError(f"{entry.path}: changed while it was calibrated on; start again")
        elif self._pixels is not None:
            flat = self._pixels.read(entry.slot).view(entry.pixel_format.dtype)
            pixels = flat.reshape(entry.pixel_format.shape(*self._size))
        return Shown(entry.name, digest, entry.part, pixels, entry.pixel_format, entry.path)

    def _keep(self, shown: Shown, slot: int, total: int | None) -> None:
        if self._pixels is None:
            self._format = shown.pixel_format
            self._pixels = Spill(self._folder, shown.pixel_format.size(*self._size), total)
        if shown.pixel_format is not self._format:
            raise InputError(
                f"{shown.name}: {shown.pixel_format}, but the first frame was {self._format};"
                " a camera's frames must have one pixel format"
            )
        self._pixels.write(slot, shown.pixels)
