"""Frames that stand out among those shown: perhaps not of good parts.

Each map's highest cell is told by the ranges of the frames held out at training, so that defects
among the frames shown, which widen their own ranges, do not hide each other. The logarithms of
these scores, maxima over cells, are taken to be Gumbel, as those of the heaviest tails of extremes
are (Frechet's), which is the careful choice: fewer good frames are named. The held-out frames, good
ones, say how long the tail of this product is at least.

A set of good frames names any with probability ``limits.SET``: if one frame stands out alone
(Bonferroni), or if more score above all held-out ones than chance lets (Fisher's exact test). Then
Benjamini and Hochberg's step-up procedure (J. R. Statist. Soc. B 57, 1995) tells how many: of
several each may stand out by less than one alone, and on average no more than a share
``limits.FALSE`` of them is good.

Gross defects are told by one cell far above every cell of the held-out frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calibration.acceptance.answer import Suspect
from calibration.acceptance.limits import FALSE, FEWEST, GROSS, SET
from calibration.looked import FrameLook
from models.bundle import TrainingReference
from models.calibration import AT_HIGH, HIGH, LOW

_Floats = NDArray[np.float64]
#: Of a standard Gumbel distribution: median, upper quartile, median distance from the median.
_MEDIAN, _UPPER, _MAD = 0.3665129206, 1.2458993237, 0.7670492513
#: Scales below this are not believed in: all frames would score the same.
_LEAST = 0.01
_TINY = 1e-30


def find_suspects(frames: Sequence[FrameLook], reference: TrainingReference) -> list[Suspect]:
    """Name the frames that stand out, the highest scores first.

    None does among fewer than ``limits.FEWEST`` frames. Centres and scales are robust: up to a
    fifth of the frames may be defective.
    """
    if len(frames) < FEWEST:
        return []
    told: dict[int, str] = {}
    for scale in frames[0].levels:
        scores = normal_scores(frames, reference, scale)
        held_out, level = reference.scores[scale], SET / len(frames[0].levels)
        told |= {n: f"chance {p:.1g}" for n, p in standing_out(scores, held_out, level).items()}
    for n, times in gross(frames, reference).items():
        said = f"a cell {times:.1f} times as high as any at training"
        told[n] = f"{told[n]}; {said}" if n in told else said
    return [
        Suspect(
            name=frames[n].name,
            digest=frames[n].digest,
            part=frames[n].part,
            score=frames[n].score,
            says=told[n],
        )
        for n in sorted(told, key=lambda n: (-frames[n].score, frames[n].digest))
    ]


def normal_scores(
    frames: Sequence[FrameLook], reference: TrainingReference, scale: str
) -> list[float]:
    """Give each frame's highest cells of both maps by the held-out frames' ranges, at alpha 0.5."""
    found = np.zeros(len(frames))
    for which in ("local", "globally"):
        low, high = (_quantile(reference, which, scale, p) for p in (LOW, HIGH))
        rose = _rose(frames, reference, which, scale)
        highest = np.array([getattr(f.levels[scale], which).maximum for f in frames]) / rose
        found += 0.5 * AT_HIGH * (highest - low) / max(high - low, _TINY)
    return [float(score) for score in found]


def gross(frames: Sequence[FrameLook], reference: TrainingReference) -> dict[int, float]:
    """Give the frames with a cell ``limits.GROSS`` times as high as any of the held-out frames'.

    With how many times, over their maps.
    """
    found: dict[int, float] = {}
    for scale in frames[0].levels:
        for which in ("local", "globally"):
            rose = _rose(frames, reference, which, scale)
            highest = rose * getattr(reference, which)[scale][-1]
            for n, frame in enumerate(frames):
                times = getattr(frame.levels[scale], which).maximum / highest
                if times > GROSS:
                    found[n] = max(times, found.get(n, 0.0))
    return found


def _rose(
    frames: Sequence[FrameLook], reference: TrainingReference, which: str, scale: str
) -> float:
    """Give how many times as high as at training a map is as a whole, at least 1."""
    usual = float(np.median([getattr(f.levels[scale], which).q90 for f in frames]))
    return max(usual / _quantile(reference, which, scale, LOW), 1.0)


def _quantile(reference: TrainingReference, which: str, scale: str, share: float) -> float:
    quantiles: dict[str, tuple[float, ...]] = getattr(reference, which)
    return quantiles[scale][reference.probabilities.index(share)]


def standing_out(
    scores: Sequence[float], held_out: Sequence[float], level: float
) -> dict[int, float]:
    """Give the places of scores that stand out, each with a good frame's chance of one as high.

    None with probability 1 - ``level`` if all are of good frames.
    """
    above, normal = above_median(scores), above_median(held_out)
    alone = alone_chances(above, normal)
    if alone.min() > level / 2 / len(above) and chance_of_so_many(above, normal) > level / 2:
        return {}
    chances = tail(above / max(gumbel_scale(above), gumbel_scale(normal)))
    order = np.argsort(chances, kind="stable")
    allowed = FALSE * np.arange(1, len(chances) + 1) / len(chances)
    met = np.flatnonzero(chances[order] <= allowed)
    return {int(n): float(chances[n]) for n in order[: met[-1] + 1]} if len(met) else {}


def alone_chances(above: _Floats, normal: _Floats) -> _Floats:
    """Give the probability that a good frame is as far above the median as each.

    1 for those no further than the highest of the held-out frames is.
    """
    scale = max(gumbel_scale(above), largest_scale(normal))
    return np.where(above > normal.max(), tail(above / scale), 1.0)


def chance_of_so_many(above: _Floats, normal: _Floats) -> float:
    """Give the probability that so many of good frames are above all the held-out ones.

    Exact where both are draws of one distribution: that the highest of all are of this set.
    """
    count = int((above > normal.max()).sum())
    together = len(above) + len(normal)
    return float(stats.hypergeom.sf(count - 1, together, len(above), count)) if count else 1.0


def above_median(scores: Sequence[float]) -> _Floats:
    """Give how far each score's logarithm is above the median.

    Scores are told apart from the normal range's upper end on: ``AT_HIGH`` is added to them.
    """
    logs = np.log(np.maximum(np.asarray(scores, np.float64), 0) + AT_HIGH)
    return np.asarray(logs - np.median(logs))


def gumbel_scale(above: _Floats) -> float:
    """Give the scale of values about their median 0.

    The mean of two robust ones: of the upper half, where the tail is, and of all, which a few
    defects move less.
    """
    upper = np.median(above[above >= 0]) / (_UPPER - _MEDIAN)
    both = np.median(np.abs(above)) / _MAD
    return max(float(upper + both) / 2, _LEAST)


def largest_scale(above: _Floats) -> float:
    """Give the scale at which the highest of good values is where the highest of so many lies."""
    expected = np.log(len(above)) - _MEDIAN
    return float(above.max() / expected) if expected > _LEAST else _LEAST


def tail(far: _Floats) -> _Floats:
    """Give the probability of a Gumbel value so many scales or more above the median."""
    return np.asarray(-np.expm1(-np.exp(-(far + _MEDIAN))))
