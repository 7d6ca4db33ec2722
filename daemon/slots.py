"""Frames in shared memory: slots allocated at start that go round between two processes.

A memfd has no name: nothing stale is left behind, nothing can unlink it. Its pages are reserved at
once, so that a full memory is an error at start and not a bus error later. Each slot has an owner
in a byte of the first page, which survives a crash of either side; the bytes are the free list.
"""

import contextlib
import mmap
import os
from collections.abc import Collection
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

_PAGE = mmap.PAGESIZE


class Owner(IntEnum):
    NOBODY = 0
    CAMERA = 1
    DAEMON = 2


class Slots:
    """A number of slots of equal size. The camera takes free ones, the daemon gives them back."""

    def __init__(self, descriptor: int, count: int, size: int) -> None:
        """Map slots from a descriptor, which this object then owns."""
        self.descriptor = descriptor
        self.count = count
        self.size = size  # bytes of a slot
        self._stride = -(-size // _PAGE) * _PAGE
        self._map = mmap.mmap(descriptor, _PAGE + count * self._stride)
        self._owners = memoryview(self._map)[:count]  # a number of numpy's is slow to compare
        self._views = [
            np.frombuffer(self._map, np.uint8, size, _PAGE + slot * self._stride)
            for slot in range(count)
        ]
        self._next = 0

    @classmethod
    def create(cls, count: int, size: int) -> "Slots":
        """Reserve memory for the slots; raises ``InputError`` if there is not enough."""
        if not 1 <= count <= _PAGE:
            raise ValueError(f"{count} slots; 1 to {_PAGE} are possible")
        total = _PAGE + count * (-(-size // _PAGE) * _PAGE)
        # A memfd has no limit of its own: asking for more than there is would not fail, but have
        # the kernel kill somebody.
        if total > (available := available_memory()):
            raise InputError(
                f"no memory for {count} slots of {size / 1e6:.1f} MB: {available / 1e6:.0f} MB are"
                " available; lower the camera's 'slots', or free memory"
            )
        descriptor = os.memfd_create("effad-slots", os.MFD_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, 0, total)
        except OSError as error:
            os.close(descriptor)
            raise InputError(
                f"no memory for {count} slots of {size / 1e6:.1f} MB ({error.strerror});"
                " lower the camera's 'slots', or free memory"
            ) from error
        return cls(descriptor, count, size)

    def take(self) -> int | None:
        """Take a free slot for the camera; None where all are in use."""
        owners = bytes(self._owners)
        slot = owners.find(Owner.NOBODY, self._next)
        if slot < 0 and (slot := owners.find(Owner.NOBODY)) < 0:
            return None
        self._owners[slot] = Owner.CAMERA
        self._next = slot + 1
        return slot

    def hand_over(self, slot: int) -> None:
        """Give a filled slot to the daemon."""
        self._owners[slot] = Owner.DAEMON

    def give_back(self, slot: int) -> None:
        """Make a slot free again."""
        self._owners[slot] = Owner.NOBODY

    def reclaim(self, held: Collection[int]) -> int:
        """Free what a dead camera process held; give how many slots that were.

        ``held`` are those that the daemon was told of and still uses: one handed over in the
        moment of death, without a word, is free as well.
        """
        lost = [s for s in range(self.count) if s not in held and self._owners[s] != Owner.NOBODY]
        for slot in lost:
            self._owners[slot] = Owner.NOBODY
        return len(lost)

    def owner(self, slot: int) -> Owner:
        return Owner(self._owners[slot])

    def free(self) -> int:
        """Count the free slots."""
        return bytes(self._owners).count(Owner.NOBODY)

    def pixels(self, slot: int) -> NDArray[np.uint8]:
        """Give a slot's bytes, shape (size,) uint8, as a view on shared memory."""
        return self._views[slot]

    @property
    def address(self) -> int:
        """Where the mapping begins in this process."""
        return np.frombuffer(self._map, np.uint8).ctypes.data

    @property
    def total(self) -> int:
        """Bytes of the mapping."""
        return len(self._map)

    def close(self) -> None:
        """Unmap where no view is left, and close the descriptor."""
        self._owners.release()
        del self._views
        with contextlib.suppress(BufferError):  # a view lives on, and keeps the mapping
            self._map.close()
        os.close(self.descriptor)


def available_memory() -> int:
    """Give the bytes that this process can still have: the machine's, or less in a cgroup."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup") / _own_group()
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except OSError:  # no cgroup of version 2 here
        return available
    return available if limit == "max" else min(available, int(limit) - used)


def _own_group() -> str:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
