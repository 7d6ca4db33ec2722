"""What a calibration keeps of its frames, on disk: memory does not grow with their number."""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError


class Spill:
    """Records of one size, by number, in a file without a name: it goes with the process."""

    def __init__(self, folder: Path, record: int, records: int | None) -> None:
        """Raises ``InputError`` if the disk has no room for so many records of so many bytes."""
        self._folder = folder
        self._record = record
        free = shutil.disk_usage(folder).free
        if records is not None and record * records > free:
            raise InputError(
                f"{folder}: calibrating on {records} frames takes {_size(record * records)} of disk"
                f" meanwhile, and {_size(free)} are free; make room, or show fewer frames"
            )
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (``close``)

    def __enter__(self) -> "Spill":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    @property
    def path(self) -> str:
        """Give where another process, a child of this one, finds the file."""
        return f"/proc/{os.getpid()}/fd/{self._file.fileno()}"

    @classmethod
    def join(cls, path: str, record: int) -> "Spill":
        """Open the file of another process, which must still be there."""
        self = cls.__new__(cls)
        self._folder = Path(path)
        self._record = record
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115 (``close``)
        return self

    def write(self, slot: int, *arrays: NDArray[np.generic]) -> None:
        """Write a record; raises ``InputError`` if the disk is full."""
        at = slot * self._record
        for array in arrays:
            left = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            while left:
                try:
                    done = os.pwrite(self._file.fileno(), left, at)
                except OSError as error:
                    raise InputError(
                        f"{self._folder}: {error.strerror} after {slot} frames; make room, or show"
                        " fewer frames. The recipe is as it was"
                    ) from error
                at, left = at + done, left[done:]

    def read(self, slot: int) -> NDArray[np.uint8]:
        """Read a record that was written, as bytes that are the caller's own."""
        found = np.empty(self._record, np.uint8)
        left, at = found.data, slot * self._record
        while left:
            done = os.preadv(self._file.fileno(), [left], at)
            if not done:
                raise ValueError(f"record {slot} was not written")
            at, left = at + done, left[done:]
        return found


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
