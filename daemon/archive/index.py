"""What lies in the archive's folder: read once, at the start, and kept in memory from then on."""

import contextlib
import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.archive.record import DAY, IMAGE, MAP, RECORD, STEM
from daemon.messages import Kind

PARTIAL = ".partial"  # ends the name of a file that is being written; a dot begins it
_BLOCK = 4096  # bytes that the usual file systems give out at once


@dataclass(frozen=True, order=True, slots=True)
class Entry:
    """An image with its files. They go by day, the oldest first; of a day the good ones first."""

    day: str
    rejected: bool
    triggered_ns: int
    stem: str  # path within the archive's folder, without a suffix
    size: int = field(compare=False)  # bytes on disk of all its files


class Index:
    """The images that there are, in the order in which they go."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self.used = 0  # bytes on disk

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, entry: Entry) -> None:
        heapq.heappush(self._heap, entry)
        self.used += entry.size

    def first(self) -> Entry | None:
        """Give the image that is the first to go."""
        return self._heap[0] if self._heap else None

    def drop_first(self) -> None:
        self.used -= heapq.heappop(self._heap).size


def on_disk(size: int) -> int:
    """Give the bytes that a file of so many takes."""
    return -(-size // _BLOCK) * _BLOCK


def sweep(folder: Path, expired: Callable[[], bool]) -> Iterator[Entry]:
    """Give the images in an archive's folder, and delete what was left unfinished.

    Nothing that the archive did not write is touched. Ends early where ``expired``.
    """
    for day in _folders(folder):
        if DAY.fullmatch(day.name):
            for place in _folders(day):
                if expired():
                    return
                yield from _images(place, day.name)


def remove(folder: Path, stem: str) -> None:
    """Delete an image's files, the JSON first: what is left of an interruption is unfinished."""
    path = folder / stem
    for suffix in (RECORD, MAP, IMAGE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for place in (path.parent, path.parent.parent):
        with contextlib.suppress(OSError):  # not empty
            place.rmdir()


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as found:
        return [Path(one.path) for one in found if one.is_dir(follow_symlinks=False)]


def _images(place: Path, day: str) -> Iterator[Entry]:
    stems: dict[str, dict[str, os.stat_result]] = {}
    with os.scandir(place) as found:
        for one in found:
            if one.name.startswith(".") and one.name.endswith(PARTIAL):
                os.unlink(one.path)
                continue
            stem, suffix = os.path.splitext(one.name)
            if suffix in (IMAGE, MAP, RECORD) and STEM.fullmatch(stem):
                stems.setdefault(stem, {})[suffix] = one.stat(follow_symlinks=False)
    for stem, files in stems.items():
        if RECORD not in files or not files[RECORD].st_size:
            remove(place, stem)
            continue
        kind = STEM.fullmatch(stem)
        yield Entry(
            day=day,
            rejected=kind is not None and kind["kind"] != Kind.PASS,
            triggered_ns=files[RECORD].st_mtime_ns,
            stem=f"{day}/{place.name}/{stem}",
            size=sum(on_disk(status.st_size) for status in files.values()),
        )
