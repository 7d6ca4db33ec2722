"""A histogram over the bits of floats: quantiles of any number of values, in bounded memory.

The bits of non-negative float32, read as integers, are in the order of the values. A bin is all
values with the same exponent and upper 16 bits of mantissa, at most 2**-16 of its value wide; it
keeps the smallest and the largest value seen, so that a bin of equal values (ties, values rounded
to bf16) is exact. What is kept depends on the values alone, not on their order or on how they were
split over processes: merged histograms are equal byte for byte.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOW = 7  # bits of the mantissa within a bin
_BINS = 1 << 16  # a page: one exponent
_INFINITE = np.uint32(0x7F800000)
_MAGIC = b"effadBH1"
_HEADER = struct.Struct("<8sI")
_PAGE = struct.Struct("<BI")


@dataclass(eq=False)
class _Page:
    """The bins of one exponent."""

    counts: NDArray[np.int64]  # (_BINS,)
    smallest: NDArray[np.uint8]  # (_BINS,) lower 7 bits; meaningless where the count is 0
    largest: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> "_Page":
        return cls(
            np.zeros(_BINS, np.int64),
            np.full(_BINS, 0xFF, np.uint8),
            np.zeros(_BINS, np.uint8),
        )

    def add(
        self,
        bins: NDArray[np.uint32],
        counts: NDArray[np.int64],
        smallest: NDArray[np.uint8],
        largest: NDArray[np.uint8],
    ) -> None:
        """Add bins, each named once."""
        self.counts[bins] += counts
        self.smallest[bins] = np.minimum(self.smallest[bins], smallest)
        self.largest[bins] = np.maximum(self.largest[bins], largest)


class BitHistogram:
    """Counts non-negative float32 values; 640 kB for each power of two among them."""

    def __init__(self) -> None:
        self._pages: dict[int, _Page] = {}
        self._totals: dict[int, int] = {}  # of each page

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BitHistogram) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]

    @property
    def count(self) -> int:
        """Give how many values were added."""
        return sum(self._totals.values())

    def add(self, values: NDArray[np.float32]) -> None:
        """Add values of any shape; raises ``ValueError`` for negative, infinite or NaN ones."""
        self.add_sorted(np.sort(values, axis=None))

    def add_sorted(self, values: NDArray[np.float32]) -> None:
        """Add values that are sorted, (N,); raises ``ValueError`` as ``add`` does."""
        if not values.size:
            return
        bits = _bits(values)
        if bits.max() >= _INFINITE:  # a sign bit too is above it
            raise ValueError("values must be finite and not negative")
        bins = bits >> np.uint32(_LOW)
        starts = np.flatnonzero(np.diff(bins, prepend=bins[0] + np.uint32(1)))
        ends = np.append(starts[1:], bits.size)
        self._add(
            bins[starts],
            (ends - starts).astype(np.int64),
            (bits[starts] & 0x7F).astype(np.uint8),
            (bits[ends - 1] & 0x7F).astype(np.uint8),
        )

    def merge(self, other: "BitHistogram") -> None:
        """Add all that another has counted."""
        for exponent, page in other._pages.items():
            bins = np.flatnonzero(page.counts).astype(np.uint32)
            self._page(exponent).add(
                bins, page.counts[bins], page.smallest[bins], page.largest[bins]
            )
            self._totals[exponent] += other._totals[exponent]

    def quantile(self, probability: float) -> tuple[float, float]:
        """Give a value that was seen, and by how much its rank misses, as a share of all at most.

        The rank is that of ``models.quantiles.quantile``. Raises ``ValueError`` without values.
        """
        number, left = self._bin(probability)
        page, place = self._pages[number >> 16], number & (_BINS - 1)
        low, high = int(page.smallest[place]), int(page.largest[place])
        below, above = left - 1, int(page.counts[place]) - left
        missed = 0 if low == high else min(below, above)
        return _value(number, low if below <= above else high), missed / self.count

    def resolve(self, probability: float, batches: Iterable[NDArray[np.float32]]) -> float:
        """Give the quantile exactly, from all values that were added, seen once more."""
        number, left = self._bin(probability)
        counts = np.zeros(1 << _LOW, np.int64)
        for batch in batches:
            bits = _bits(batch).ravel()
            within = bits[bits >> _LOW == number] & np.uint32(0x7F)
            counts += np.bincount(within, minlength=counts.size)
        return _value(number, int(np.searchsorted(np.cumsum(counts), left)))

    def _bin(self, probability: float) -> tuple[int, int]:
        """Give the bin (exponent and mantissa) of a quantile, and its rank within, from 1."""
        total = self.count
        if not total:
            raise ValueError("no values")
        left = min(max(int(np.ceil(probability * total)), 1), total)
        for exponent in sorted(self._pages):
            if left <= self._totals[exponent]:
                break
            left -= self._totals[exponent]
        page = self._pages[exponent]
        upto = np.cumsum(page.counts)
        place = int(np.searchsorted(upto, left))
        return exponent << 16 | place, left - int(upto[place] - page.counts[place])

    def to_bytes(self) -> bytes:
        """Give all that is known of the values: the same for the same values in any order."""
        parts = [_HEADER.pack(_MAGIC, len(self._pages))]
        for exponent in sorted(self._pages):
            page = self._pages[exponent]
            bins = np.flatnonzero(page.counts)
            parts += [
                _PAGE.pack(exponent, bins.size),
                bins.astype("<u2").tobytes(),
                page.counts[bins].astype("<i8").tobytes(),
                page.smallest[bins].tobytes(),
                page.largest[bins].tobytes(),
            ]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, content: bytes) -> "BitHistogram":
        """Read what ``to_bytes`` wrote; raises ``ValueError`` for anything else."""
        found = cls()
        for exponent, bins, counts, smallest, largest in _read(content):
            if counts.min() < 1 or np.any(smallest > largest) or largest.max() > 0x7F:
                raise ValueError("not a histogram")
            found._page(exponent).add(bins, counts, smallest, largest)
            found._totals[exponent] += int(counts.sum())
        if found.to_bytes() != content:
            raise ValueError("not a histogram")
        return found

    def _add(
        self,
        bins: NDArray[np.uint32],
        counts: NDArray[np.int64],
        smallest: NDArray[np.uint8],
        largest: NDArray[np.uint8],
    ) -> None:
        """Add bins that are sorted, whatever their exponents."""
        exponents = bins >> 16
        borders = np.flatnonzero(np.diff(exponents, prepend=exponents[0] + np.uint32(1)))
        for start, end in zip(borders, [*borders[1:], bins.size], strict=True):
            exponent, run = int(exponents[start]), slice(start, end)
            self._page(exponent).add(
                bins[run] & np.uint32(_BINS - 1), counts[run], smallest[run], largest[run]
            )
            self._totals[exponent] += int(counts[run].sum())

    def _page(self, exponent: int) -> _Page:
        if exponent not in self._pages:
            self._pages[exponent] = _Page.empty()
            self._totals[exponent] = 0
        return self._pages[exponent]


def _bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    return (np.ascontiguousarray(values, np.float32) + np.float32(0)).view(np.uint32)  # -0 is 0


def _value(number: int, low: int) -> float:
    """Give the value of a bin with these lower bits."""
    return float(np.uint32(number << _LOW | low).view(np.float32))


def _read(
    content: bytes,
) -> Iterator[
    tuple[int, NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]
]:
    """Yield each page's exponent, bins, counts, smallest and largest."""
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(content):
            raise ValueError("not a histogram")
        return content[at - size : at]

    magic, pages = _HEADER.unpack(take(_HEADER.size))
    if magic != _MAGIC:
        raise ValueError("not a histogram")
    for _ in range(pages):
        exponent, size = _PAGE.unpack(take(_PAGE.size))
        if not size:
            raise ValueError("not a histogram")
        yield (
            exponent,
            np.frombuffer(take(2 * size), "<u2").astype(np.uint32),
            np.frombuffer(take(8 * size), "<i8").astype(np.int64),
            np.frombuffer(take(size), np.uint8),
            np.frombuffer(take(size), np.uint8),
        )
