"""A sequential test for a value that no longer is distributed as it was.

A new value becomes a normal score by its rank among those known (self-starting: the reference, and
the values accepted since), so that nothing is assumed of the distribution, and a reference of 50
values is not taken for the truth: ranks among all values before are independent and exact whatever
the reference's size. The scores are summed in CUSUM charts (Page 1954), upwards and downwards:

- ``FINE`` for lasting small shifts and ``SHARP`` for larger ones, by ranks among all that is known;
- ``GUARD`` by ranks among the reference alone, which learns nothing: it sees what comes slowly, or
  so early that the others would learn it. Its allowance grows with what so few values leave open.

Values are taken to be independent but for a correlation between neighbours, which is estimated
from their differences (von Neumann 1941) and reckoned with. What wanders for longer is a drift.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from statistics import NormalDist, median

from pydantic import Field

from models.records import Record

#: Values known at most; those after are compared with these, and no longer learned.
MOST_KNOWN = 20_000
#: Standard deviations of 1 / sqrt(n) that a reference of n may be off without alarms of ``GUARD``.
OFF = 3.5
#: Charts of a test: (k, h) in standard deviations, an alarm being a sum of scores less k that
#: reaches h. From the average run length of normal scores, by the integral equation of Page (1954)
#: that Brook and Evans (1972) solve: 8 x 10^7 frames over two sides for FINE and 1.6 x 10^8 for the
#: others; ``tests/models/test_sequential.py`` computes it again. FINE and SHARP hold it even if the
#: values known are off by 0.02, nearly 3 / sqrt(MOST_KNOWN).
FINE, SHARP, GUARD = (0.12, 73.73), (0.4, 22.98), (0.3, 28.62)
#: Frames to a false alarm of four tests together, on average: 1 / 4 of what the charts add up to.
FALSE_ALARM_FRAMES = 10_000_000

_PRIOR = 200  # values that the neighbours' correlation is taken to be 0 by
_MOST_CORRELATION = 0.95
_RECENT = 1 / 10  # weight of a value in the recent mean
_NORMAL = NormalDist()


class TestState(Record):
    """What a test goes on from after a restart."""

    __test__ = False  # pytest: no tests here

    known: tuple[float, ...]  # sorted
    sums: tuple[float, ...]  # of the charts, up and down in turn
    over: bool
    count: int = Field(ge=0)  # values that the correlation is estimated from
    differences: float  # sum of halved squares of differences of neighbours
    squares: float
    before: float | None  # the newest normal score
    recent: float | None  # mean of the newest values


class ShiftTest:
    """Watches one value against a reference of at least 2 values.

    Values within ``tolerance`` of each other count as equal: smaller changes are none.
    """

    def __init__(self, reference: Sequence[float], tolerance: float = 0) -> None:
        if len(reference) < 2:
            raise ValueError(f"a reference of {len(reference)} values")
        self._reference = sorted(reference)
        self._known = list(self._reference)
        self._tolerance = tolerance
        guard = GUARD[0] + OFF / math.sqrt(len(reference))
        self._charts = (FINE, SHARP, (guard, GUARD[1]))
        self._sums = [0.0] * (2 * len(self._charts))
        self._over = False
        self._count, self._differences, self._squares = 0, 0.0, 0.0
        self._before: float | None = None
        self._recent: float | None = None

    @property
    def known(self) -> int:
        """How many values are known."""
        return len(self._known)

    @property
    def over(self) -> bool:
        """Whether the value has shifted: from an alarm until all charts are below half of it."""
        return self._over

    @property
    def level(self) -> float:
        """The highest chart as a share of its limit, 0 to 1; negative if it is a downward one."""
        return max((self._share(n) for n in range(len(self._sums))), key=abs)

    @property
    def centre(self) -> float:
        """The reference's median."""
        return median(self._reference)

    @property
    def recent(self) -> float:
        """Mean of the newest values, the last 20 or so; the reference's median before any."""
        return self.centre if self._recent is None else self._recent

    def see(self, value: float) -> bool:
        """Take a value; give whether this is the moment of an alarm. Raises ``ValueError`` of NaN.

        Learns it, unless the value has shifted.
        """
        if not math.isfinite(value):
            raise ValueError(f"value {value}")
        score = self._score(value, self._known)
        scale = 1 / math.sqrt(self._variance())
        highest = self._add(scale * score, scale * self._score(value, self._reference))
        was = self._over
        self._over = highest >= 1 or (was and highest >= 0.5)
        if not self._over and len(self._known) < MOST_KNOWN:
            self._learn(value, score)
        self._before = score
        old = value if self._recent is None else self._recent
        self._recent = old + _RECENT * (value - old)
        return self._over and not was

    def state(self) -> TestState:
        return TestState(
            known=tuple(self._known),
            sums=tuple(self._sums),
            over=self._over,
            count=self._count,
            differences=self._differences,
            squares=self._squares,
            before=self._before,
            recent=self._recent,
        )

    def go_on(self, state: TestState) -> None:
        """Go on from a state of a test with the same reference."""
        if len(state.sums) != len(self._sums) or len(state.known) < len(self._reference):
            raise ValueError("the state of another test")
        self._known, self._sums, self._over = list(state.known), list(state.sums), state.over
        self._count, self._differences = state.count, state.differences
        self._squares, self._before, self._recent = state.squares, state.before, state.recent

    def _score(self, value: float, among: list[float]) -> float:
        """Give the normal score of a value's rank among others, in the middle of equal ones."""
        below = bisect_left(among, value - self._tolerance)
        upto = bisect_right(among, value + self._tolerance)
        return _NORMAL.inv_cdf(((below + upto) / 2 + 0.5) / (len(among) + 1))

    def _add(self, learned: float, fixed: float) -> float:
        """Add to the charts; give the highest as a share of its limit."""
        sums, highest, n = self._sums, 0.0, 0
        for (k, h), score in zip(self._charts, (learned, learned, fixed), strict=True):
            for deviation in (score, -score):
                # At most the limit: a drift that has passed is over in as many frames again.
                sums[n] = min(max(0.0, sums[n] + deviation - k), h)
                highest = max(highest, sums[n] / h)
                n += 1
        return highest

    def _share(self, n: int) -> float:
        share = self._sums[n] / self._charts[n // 2][1]
        return -share if n % 2 else share

    def _learn(self, value: float, score: float) -> None:
        insort(self._known, value)
        if self._before is not None:
            self._count += 1
            self._differences += (score - self._before) ** 2 / 2
            self._squares += score**2

    def _variance(self) -> float:
        """Give how much the correlation of neighbours widens a sum of scores: 1 without any.

        Of a first-order autoregression. A shift itself hardly changes it, for differences of
        neighbours do not see it, and squares above 1 are not believed.
        """
        weight = _PRIOR + self._count
        differences = (_PRIOR + self._differences) / weight
        squares = min(1.0, (_PRIOR + self._squares) / weight)
        correlation = min(max(0.0, 1 - differences / squares), _MOST_CORRELATION)
        return (1 + correlation) / (1 - correlation)
