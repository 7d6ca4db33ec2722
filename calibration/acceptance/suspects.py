"""Frames that stand out among those shown: perhaps not of good parts.

A good frame's score is a maximum over its cells, so that scores have the tail of extremes. Their
logarithms are taken to be Gumbel, as those of the heaviest of such tails are (Frechet's), which is
the careful choice: fewer good frames are named. The frames held out at training, good ones, say how
long the tail of this product is at least. A set of good frames names any with probability
``limits.SET`` (Bonferroni). Where some are named, Benjamini and Hochberg's step-up procedure (J. R.
Statist. Soc. B 57, 1995) tells how many: of several each may stand out by less than one alone, and
on average no more than a share ``limits.FALSE`` of them is good.

Gross defects widen the normal range itself until no score stands out. They are told by their maps
before that range: a cell far above every cell of the held-out frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.acceptance.answer import Suspect
from calibration.acceptance.limits import FALSE, FEWEST, GROSS, SET
from calibration.looked import FrameLook
from models.bundle import TrainingReference
from models.calibration import AT_HIGH, LOW

_Floats = NDArray[np.float64]
#: Of a standard Gumbel distribution: median, upper quartile, median distance from the median.
_MEDIAN, _UPPER, _MAD = 0.3665129206, 1.2458993237, 0.7670492513
#: Scales below this are not believed in: all frames would score the same.
_LEAST = 0.01


def find_suspects(frames: Sequence[FrameLook], reference: TrainingReference) -> list[Suspect]:
    """Name the frames that stand out, the highest scores first.

    None does among fewer than ``limits.FEWEST`` frames. Centres and scales are robust: up to a
    fifth of the frames may be defective.
    """
    if len(frames) < FEWEST:
        return []
    held_out = max((reference.scores[scale] for scale in frames[0].levels), key=max)
    chances = score_chances([frame.score for frame in frames], held_out)
    told = {n: f"chance {chances[n]:.1g}" for n in standing_out(chances)}
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


def gross(frames: Sequence[FrameLook], reference: TrainingReference) -> dict[int, float]:
    """Give the frames with a cell ``limits.GROSS`` times as high as any of the held-out frames'.

    With how many times, over their maps. Maps that rose as a whole, told by the median of the
    frames' quantile 0.9, are brought down to training's first.
    """
    found: dict[int, float] = {}
    for scale in frames[0].levels:
        for which in ("local", "globally"):
            levels = [getattr(frame.levels[scale], which) for frame in frames]
            normal = getattr(reference, which)[scale]
            usual = normal[reference.probabilities.index(LOW)]
            rose = max(float(np.median([level.q90 for level in levels])) / usual, 1.0)
            for n, level in enumerate(levels):
                times = level.maximum / (rose * normal[-1])
                if times > GROSS:
                    found[n] = max(times, found.get(n, 0.0))
    return found


def score_chances(scores: Sequence[float], held_out: Sequence[float]) -> _Floats:
    """Give the probability that a good frame scores as high as each.

    1 for those no further above the others than the highest of the held-out frames is.
    """
    above, normal = above_median(scores), above_median(held_out)
    scale = max(gumbel_scale(above), largest_scale(normal))
    return np.where(above > normal.max(), tail(above / scale), 1.0)


def standing_out(chances: _Floats) -> list[int]:
    """Give the places of those that stand out by their chances."""
    order = np.argsort(chances, kind="stable")
    ranked = chances[order]
    if ranked[0] > SET / len(chances):
        return []
    allowed = FALSE * np.arange(1, len(chances) + 1) / len(chances)
    return [int(n) for n in order[: np.flatnonzero(ranked <= allowed)[-1] + 1]]


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
