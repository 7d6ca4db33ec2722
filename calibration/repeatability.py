"""Would one part get the same verdict at each trigger? A gauge study in small.

A part that stays where it is is triggered n times. Its scores are taken as independent and normal
(camera noise is; a light that drifts is not, and the trend tells). The other verdict is then a
score on the threshold's other side, of probability Phi(-d) with d the distance of the mean from the
threshold in standard deviations. An exact interval for d comes from the noncentral t distribution
of sqrt(n) d (Owen 1968; the normal tolerance limit); beside it stands the plain count, with its
Clopper-Pearson interval.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from calibration.intervals import Interval, share_interval
from calibration.judged import JudgedPart
from daemon.messages import Kind
from models.errors import InputError

LEAST = 10  # triggers; with fewer the interval says nothing
CONFIDENCE = 0.95
_FAR = 35.0  # deviations: beyond it a flip is as good as impossible, and counts as this far
_NODES = 4001


@dataclass(frozen=True)
class Spread:
    """Of a value over the triggers."""

    mean: float
    deviation: float  # standard deviation, n - 1


@dataclass(frozen=True)
class Repeatability:
    triggers: int
    threshold: float
    score: Spread
    maps: Mapping[str, Spread]  # largest raw value of each map
    verdict: Kind  # of most
    distance: float | None  # of the mean score to the threshold, in standard deviations; None: 0
    flip: float  # probability that a trigger gives the other verdict, by the model
    flip_interval: Interval
    other: int  # triggers that gave the other verdict
    other_interval: Interval  # of their rate
    trend: float  # correlation of score and order of triggers

    def repeatable(self, most: float) -> bool:
        """Say whether no verdict flipped, and the model's flips are surely at most that rare."""
        return self.other == 0 and self.flip_interval[1] <= most


def repeatability(
    triggers: Sequence[JudgedPart], threshold: float, confidence: float = CONFIDENCE
) -> Repeatability:
    """Study triggers of a part, in their order; raises ``InputError`` if they are fewer than 10."""
    count = len(triggers)
    if count < LEAST:
        raise InputError(f"{count} triggers of the part: show it at least {LEAST} times, better 50")
    scores = [one.score for one in triggers]
    spread = _spread(scores)
    kinds = Counter(one.kind for one in triggers)
    verdict = Kind.FAIL if kinds[Kind.FAIL] >= kinds[Kind.PASS] else Kind.PASS
    other = count - kinds[verdict]
    sign = 1.0 if verdict is Kind.FAIL else -1.0
    away = sign * (spread.mean - threshold)
    distance = None if spread.deviation == 0 else away / spread.deviation
    flip, interval = flip_probability(distance, count, confidence, same=away >= 0)
    return Repeatability(
        triggers=count,
        threshold=threshold,
        score=spread,
        maps={name: _spread([one.peaks[name] for one in triggers]) for name in triggers[0].peaks},
        verdict=verdict,
        distance=distance,
        flip=flip,
        flip_interval=interval,
        other=other,
        other_interval=share_interval(other, count, confidence),
        trend=0.0 if distance is None else float(np.corrcoef(np.arange(count), scores)[0, 1]),
    )


def _spread(values: Sequence[float]) -> Spread:
    """Give mean and standard deviation; equal values have exactly none."""
    if min(values) == max(values):
        return Spread(values[0], 0.0)
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)))


def flip_probability(
    distance: float | None, count: int, confidence: float, *, same: bool
) -> tuple[float, Interval]:
    """Give Phi(-d) and its interval, for an estimate of d from so many normal values.

    ``None``, values that are all equal: they always do, on the side that ``same`` names.
    """
    if distance is None:
        certain = 0.0 if same else 1.0
        return certain, (certain, certain)
    tail = (1 - confidence) / 2
    seen = max(-_FAR, min(_FAR, distance))
    limits = (_true_distance(seen, count, 1 - tail), _true_distance(seen, count, tail))
    low, high = (float(stats.norm.sf(limit)) for limit in limits)
    return float(stats.norm.sf(distance)), (low, high)


def _true_distance(seen: float, count: int, probability: float) -> float:
    """Give the quantile of d's confidence distribution, seen U + Z / sqrt(n).

    With U^2 chi-squared over its n - 1 degrees of freedom and Z standard normal: the inverse of the
    noncentral t distribution (tests), which SciPy's own gives NaN for where it is far out.
    """
    chi = stats.chi(count - 1, scale=1 / math.sqrt(count - 1))
    u = np.linspace(chi.ppf(1e-13), chi.isf(1e-13), _NODES)
    density = chi.pdf(u)
    weights = density / density.sum()

    def excess(true: float) -> float:
        below = stats.norm.cdf(math.sqrt(count) * (true - seen * u))
        return float(below @ weights) - probability

    room = 10 + 3 * abs(seen)
    return float(optimize.brentq(excess, -room, room, xtol=1e-9))
