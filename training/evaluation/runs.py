"""Scores as sorted integers, an array an image, on disk once they are more than memory may hold."""

import errno
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

_SIGN = np.uint32(0x80000000)


def keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Turn scores into integers whose ascending order is the scores' descending one.

    Equal scores, 0 and -0 among them, have equal keys; infinities are in their place. Raises
    ``ValueError`` for NaN, which has none.
    """
    if np.isnan(values).any():
        raise ValueError("a score is NaN")
    bits = np.ascontiguousarray(values + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, bits, ~(bits | _SIGN))


def scores(key: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Turn keys back into scores."""
    return np.where(key & _SIGN, key, ~(key | _SIGN)).view(np.float32)


class SortedRuns:
    """Sorted arrays of one integer type, appended one by one.

    Kept in memory up to ``in_memory`` bytes, and in an unnamed temporary file from there on, which
    ``close`` removes.
    """

    def __init__(self, dtype: type[np.unsignedinteger[Any]], in_memory: int) -> None:
        self._dtype = np.dtype(dtype)
        self._left = in_memory  # bytes
        self._runs: list[NDArray[Any] | tuple[int, int]] = []  # or where in the file, and how many
        self._file: IO[bytes] | None = None
        self._end = 0  # of the file, bytes

    def __len__(self) -> int:
        return len(self._runs)

    def close(self) -> None:
        self._runs.clear()
        if self._file is not None:
            self._file.close()

    def append(self, run: NDArray[Any]) -> None:
        """Keep a sorted array. Raises ``InputError`` where the temporary folder is full."""
        if run.dtype != self._dtype:
            raise TypeError(f"{run.dtype}, but the runs are {self._dtype}")
        if run.nbytes <= self._left:
            self._left -= run.nbytes
            self._runs.append(run)
            return
        self._left = 0
        file = self._spilled()
        try:
            file.seek(self._end)
            rest = run.view(np.uint8)
            while len(rest):
                rest = rest[file.write(rest.data) :]
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise InputError(
                f"{tempfile.gettempdir()}: full; name a folder with room for 4 bytes a pixel of"
                " all test images in TMPDIR"
            ) from error
        self._runs.append((self._end, len(run)))
        self._end += run.nbytes

    def __getitem__(self, index: int) -> NDArray[Any]:
        run = self._runs[index]
        if isinstance(run, tuple):
            start, length = run
            if not length:
                return np.empty(0, self._dtype)
            return np.memmap(self._spilled(), self._dtype, "r", start, (length,))
        return run

    def _spilled(self) -> IO[bytes]:
        if self._file is None:
            # Unbuffered: a buffer that could not be written would be tried again on close.
            self._file = tempfile.TemporaryFile(prefix="effad-", buffering=0)  # noqa: SIM115
        return self._file

    def cut(self, index: int, edges: NDArray[Any]) -> NDArray[np.int64]:
        """Give where each edge would stand in a run: how many of its values are below it."""
        return np.searchsorted(self[index], edges.astype(self._dtype)).astype(np.int64)


def pieces(
    runs: SortedRuns, which: Sequence[int], places: Sequence[NDArray[np.int64]], block: int
) -> Iterator[NDArray[Any]]:
    """Yield what each run has between two neighbouring edges; ``places`` is a cut a run."""
    for index, place in zip(which, places, strict=True):
        start, stop = int(place[block]), int(place[block + 1])
        if stop > start:
            yield np.asarray(runs[index][start:stop])
