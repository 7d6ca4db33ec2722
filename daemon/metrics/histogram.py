"""Durations counted in buckets: a few integers however many there are.

A power of two is cut into 16 buckets of equal width, each 3 to 6 % of what it holds. Which one a
duration falls into is in its leading five bits, so counting needs no logarithm.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

_BITS = 5  # leading bits that tell the bucket: the first is always 1
_PARTS = 1 << (_BITS - 1)  # buckets of a power of two
_LEAST = 1 << 10  # ns: 1 us; less is counted as this
_MOST = (1 << 40) - 1  # ns: 1100 s; more is counted as this
#: Where Prometheus' buckets end, ns: 8 us to 103 s, two to a power of two. Each is where one of the
#: fine ones ends, so that their counts are exact.
_BOUNDS = tuple(part << power for power in range(12, 36) for part in (2, 3))
#: Quantiles are this close to the duration that has that rank, between 1 us and 1100 s.
TOLERANCE = 1 / 32


@dataclass(frozen=True, slots=True)
class Latencies:
    """What a histogram held at a moment."""

    counts: tuple[int, ...]  # by bucket
    sum_ns: int
    max_ns: int

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean_ns(self) -> float:
        """Exact; raises ``ValueError`` where there is nothing, as ``quantile_ns``."""
        return self.sum_ns / self._some()

    def quantile_ns(self, q: float) -> float:
        """Give the duration (ns, within ``TOLERANCE``) that a share ``q`` does not exceed."""
        if not 0 <= q <= 1:
            raise ValueError(f"quantile {q} is not from 0 to 1")
        rank = max(1, math.ceil(q * self._some()))
        low, high = _edges(bisect_left(list(accumulate(self.counts)), rank))
        return min((low + high) / 2, float(self.max_ns))

    def buckets(self) -> list[tuple[float, int]]:
        """Give (seconds, how many lasted less than that) for Prometheus; the last is infinite."""
        below = [0, *accumulate(self.counts)]
        return [
            *((bound / 1e9, below[_index(bound)]) for bound in _BOUNDS),
            (math.inf, below[-1]),
        ]

    def __add__(self, other: "Latencies") -> "Latencies":
        """Count both together."""
        return Latencies(
            tuple(mine + its for mine, its in zip(self.counts, other.counts, strict=True)),
            self.sum_ns + other.sum_ns,
            max(self.max_ns, other.max_ns),
        )

    def _some(self) -> int:
        count = self.count
        if count == 0:
            raise ValueError("nothing was observed")
        return count


class LatencyHistogram:
    """Counts durations. One thread may ``observe`` while others ``read``."""

    def __init__(self) -> None:
        self._counts = [0] * (_index(_MOST) + 1)
        self._sum = 0
        self._max = 0

    def observe(self, ns: int) -> None:
        """Count a duration; a negative one (two clocks disagree) counts as 0."""
        near = ns
        if not _LEAST <= ns <= _MOST:
            ns = max(0, ns)
            near = min(max(_LEAST, ns), _MOST)
        self._sum += ns
        if ns > self._max:
            self._max = ns
        shift = near.bit_length() - _BITS
        self._counts[shift * _PARTS + (near >> shift)] += 1

    def read(self) -> Latencies:
        """Give what was counted; sum and maximum may hold a duration more than the counts."""
        return Latencies(tuple(self._counts), self._sum, self._max)


def _index(ns: int) -> int:
    shift = ns.bit_length() - _BITS
    return shift * _PARTS + (ns >> shift)


def _edges(index: int) -> tuple[int, int]:
    """Give the durations (ns) that a bucket begins and ends at."""
    shift = index // _PARTS - 1
    lead = index - shift * _PARTS
    return lead << shift, (lead + 1) << shift
