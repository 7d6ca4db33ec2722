"""An image on disk, read back as what the camera sent, with its record where there is one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.archive.pixels import digest, from_png
from daemon.archive.record import IMAGE, MAP, RECORD, ImageRecord
from models.errors import InputError
from models.images import SUFFIXES, read_rgb
from models.pixel_format import PixelFormat
from models.pixels import RawFrame


@dataclass(frozen=True, eq=False)
class Image:
    """A frame from a file."""

    path: Path
    pixels: RawFrame  # as its format says
    pixel_format: PixelFormat
    record: ImageRecord | None = None  # None of an image that the archive did not write
    map: NDArray[np.float32] | None = None  # the anomaly map as recorded, (h, w)

    @property
    def unchanged(self) -> bool:
        """Whether the pixels are those that were recorded."""
        return self.record is not None and digest(self.pixels) == self.record.pixels_sha256


def find(given: Path) -> list[Path]:
    """Give an image itself, or the images in a folder and all below it, sorted.

    Raises ``InputError`` if there is none.
    """
    if not given.is_dir():
        return [given]
    found = sorted(
        path
        for path in given.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise InputError(f"{given}: no images here; name an image, or a folder of the archive")
    return found


def read(path: Path) -> Image:
    """Read an image, with the record and the map beside it.

    Raises ``InputError`` if one of them is missing or damaged.
    """
    beside = path.with_suffix(RECORD)
    if path.suffix != IMAGE or not beside.exists():
        return Image(path, read_rgb(path), PixelFormat.RGB8)
    record = ImageRecord.read(beside)
    pixels = from_png(_content(path), record.pixel_format)
    if pixels is None or pixels.shape != record.shape:
        raise InputError(
            f"{path}: not a PNG of shape {record.shape} in {record.pixel_format}, as {beside.name}"
            " says; it is damaged, or was changed"
        )
    values = None if record.map is None else _map(path.with_suffix(MAP), record.map.shape)
    return Image(path, pixels, record.pixel_format, record, values)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _map(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a readable map ({error}); it is damaged") from error
    if values.dtype != np.float32 or values.shape != shape:
        raise InputError(
            f"{path}: a map of {values.dtype}, shape {values.shape}; its record says float32,"
            f" {shape}: it is damaged, or was changed"
        )
    return np.asarray(values, dtype=np.float32)
