"""The archive's folder: images written whole or not at all, within a budget of disk space."""

import contextlib
import fcntl
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from daemon.archive.index import PARTIAL, Entry, Index, on_disk, remove, sweep
from daemon.archive.kept import ArchivePlan, Kept
from daemon.archive.pixels import to_png
from daemon.archive.record import IMAGE, MAP, RECORD, document, folder_of, stem_of
from models.errors import InputError

#: Of each file, by its suffix, what it holds, piece by piece.
Content: TypeAlias = dict[str, Iterable[bytes | memoryview]]
LOCK = ".lock"


class NoSpace(Exception):
    """There is no room for an image, and none can be made."""


class Store:
    """The folder of one archive; used by one thread.

    Any method but ``images`` and ``used`` raises ``OSError`` where the system will not have it.
    """

    def __init__(self, folder: Path, plan: ArchivePlan, expired: Callable[[], bool]) -> None:
        self._folder = folder
        self._plan = plan
        self._expired = expired  # ends what takes long
        self._lock: int | None = None
        self._index = Index()

    @property
    def images(self) -> int:
        return len(self._index)

    @property
    def used(self) -> int:
        """Bytes on disk."""
        return self._index.used

    def open(self) -> None:
        """Make the folder, see what is in it, and delete what is too much; once is enough."""
        if self._lock is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(self._folder / LOCK)
        index = Index()
        try:
            for entry in sweep(self._folder, self._expired):
                index.add(entry)
        except OSError:
            os.close(lock)
            raise
        self._lock, self._index = lock, index
        self._make_room(0)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, item: Kept) -> None:
        """Write an image with its map and its JSON; raises ``NoSpace`` where that is so.

        Each file is on disk before its name is, the JSON's name comes last: neither a kill nor a
        power cut leaves an image that looks whole and is not.
        """
        self.open()
        if not self._make_room(_most(item)):
            raise NoSpace
        content: Content = {IMAGE: to_png(item.pixels, item.pixel_format)}
        if item.anomaly is not None:
            content[MAP] = _npy(item.anomaly.values.numpy())
        content[RECORD] = [document(item)]
        place = folder_of(item.verdict)
        (self._folder / place).mkdir(parents=True, exist_ok=True)
        stem = self._free_name(place / stem_of(item.verdict, item.camera), item.verdict.epoch)
        size = _write_whole(stem, content, item.verdict.triggered_ns)
        self._index.add(
            Entry(
                day=place.parts[0],
                rejected=not item.good,
                triggered_ns=item.verdict.triggered_ns,
                stem=stem.relative_to(self._folder).as_posix(),
                size=size,
            )
        )

    def _free_name(self, stem: os.PathLike[str], epoch: int) -> Path:
        """Give a path that is not taken: ``seq`` begins anew where a journal was lost."""
        path = self._folder / stem
        if not path.with_name(path.name + RECORD).exists():
            return path
        path = path.with_name(f"{path.name}_{epoch}")
        if path.with_name(path.name + RECORD).exists():
            raise FileExistsError(f"{path} is there already")
        return path

    def _make_room(self, need: int) -> bool:
        """Delete as many of the first to go as so many bytes need; say whether there is room."""
        short, freed = self._short(need), 0
        while freed < short and not self._expired() and (entry := self._index.first()):
            remove(self._folder, entry.stem)
            self._index.drop_first()
            freed += entry.size
        # Asked again, and not again deleted: some file systems free later, or keep snapshots.
        return short <= 0 or self._short(need) <= 0

    def _short(self, need: int) -> int:
        """Give the bytes that are missing of so many; 0 or less if none."""
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        plan = self._plan
        return need + max(self._index.used - plan.budget_bytes, plan.leave_free_bytes - free)


def check(folder: Path) -> None:
    """Raise ``InputError`` if images could not be kept in a folder; nothing is changed."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"images.folder: {folder} cannot be written to ({there} is no folder, or not effad's);"
            " give effad's user the right to it, name another, or set images.keep = 'none'"
        )


def _locked(path: Path) -> int:
    """Take the folder's lock, as its descriptor: another effad would delete what we write."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(
            error.errno, "another effad keeps its images there; give each a folder", str(path)
        ) from error
    return descriptor


def _most(item: Kept) -> int:
    """Give the most bytes that an image can take on disk: its pixels may not compress."""
    pixels = item.pixels.nbytes
    return on_disk(pixels + pixels // 100) + on_disk(item.memory - pixels) + 3 * len(item.header)


def _npy(values: NDArray[np.float32]) -> tuple[bytes, memoryview]:
    values = np.ascontiguousarray(values)
    head = io.BytesIO()
    npy.write_array_header_1_0(head, npy.header_data_from_array_1_0(values))
    return head.getvalue(), values.data


def _write_whole(stem: Path, content: Content, time_ns: int) -> int:
    """Write an image's files; give their bytes on disk."""
    size = 0
    finals = [stem.with_name(stem.name + suffix) for suffix in content]
    partials = [final.with_name(f".{final.name}{PARTIAL}") for final in finals]
    try:
        for path, parts in zip(partials, content.values(), strict=True):
            with path.open("wb") as file:
                size += on_disk(sum(file.write(part) for part in parts))
                file.flush()
                # Also keeps what waits in the page cache small: an fsync of the journal, on the
                # same disk, may have to wait for that.
                os.fsync(file.fileno())
            os.utime(path, ns=(time_ns, time_ns))  # the order in which images go
        for path, final in zip(partials, finals, strict=True):
            path.replace(final)
    except OSError:
        for path in (*reversed(finals), *partials):
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    return size
