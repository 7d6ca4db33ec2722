"""Thresholds with a stated false reject rate, from good parts and from shown defects."""

from collections.abc import Iterable, Sequence

import numpy as np

from calibration.intervals import reject_interval
from calibration.labelled import Prices, Scores, best_f1, lowest_cost, reach
from calibration.tail import extrapolate
from models.errors import InputError
from models.threshold import CONFIDENCE, Method, Threshold, default_rate, rank, threshold


def part_scores(frames: Iterable[tuple[str, float]]) -> list[float]:
    """Give one score a part, sorted, from (part, score) of its frames: the highest.

    Frames of a part are not independent, and a part fails if one of them does.
    """
    parts: dict[str, float] = {}
    for part, score in frames:
        parts[part] = max(score, parts.get(part, score))
    return sorted(parts.values())


def threshold_for(
    scores: Sequence[float],
    rate: float | None = None,
    method: Method = Method.CONFORMAL,
    *,
    defects: Sequence[float] = (),
    prices: Prices | None = None,
) -> Threshold:
    """Make a threshold from one score a good part, and for some methods of defects shown as well.

    ``rate``: of good parts that may be rejected, None: the lowest that the parts support, but no
    less than 0.1 %; methods f1 and cost take none. ``prices`` are of method cost. The real rate
    lies in the stated interval with a probability of 95 %, over the parts that happen to be shown,
    if these are drawn as the line's will be (exchangeable). Raises ``InputError`` for fewer than 2
    parts, scores that are all equal or not finite, a rate that the parts do not support, and what
    the methods ask for.
    """
    good, bad = _checked(scores, defects)
    if method in (Method.F1, Method.RECALL, Method.COST) and not len(bad):
        raise InputError(f"method {method}: takes defects as well; show some")
    if method is Method.F1:
        return best_f1(good, bad, CONFIDENCE)
    if method is Method.COST:
        if prices is None:
            raise InputError(f"method {method}: say what a false accept costs, in false rejects")
        return lowest_cost(good, bad, prices, CONFIDENCE)
    if method is Method.TAIL:
        if rate is None:
            raise InputError(f"method {method}: name the false reject rate")
        made = extrapolate(good, rate, CONFIDENCE)
    else:
        made = _conformal(good, default_rate(len(good)) if rate is None else rate, method)
    if not len(bad):
        return made
    return made.model_copy(update={"reached": reach(made.value, good, bad, CONFIDENCE)})


def _conformal(good: Scores, rate: float, method: Method) -> Threshold:
    n = len(good)
    k = rank(n, rate)
    return Threshold(
        value=threshold(good.tolist(), rate),
        method=method,
        rate=(n + 1 - k) / (n + 1),
        interval=reject_interval(good, k, CONFIDENCE),
        parts=n,
    )


def _checked(scores: Sequence[float], defects: Sequence[float]) -> tuple[Scores, Scores]:
    """Give both sorted, as float32; raises ``InputError`` if nothing can be made of them."""
    good, bad = (np.sort(np.asarray(some, dtype=np.float32)) for some in (scores, defects))
    if len(good) < 2:
        raise InputError(f"good parts: {len(good)}; a threshold takes at least 2, better 50")
    if not (np.isfinite(good).all() and np.isfinite(bad).all()):
        raise InputError("a score is not finite; the bundle cannot judge these frames")
    if good[0] == good[-1]:
        raise InputError(
            f"all {len(good)} good parts have the score {good[0]:.4g}: the frames show nothing, or"
            " are all of one part; look at them and show different parts"
        )
    return good, bad
