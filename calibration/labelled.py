"""Thresholds from good parts and defects that were shown (thesis 2.5.3)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.intervals import reject_interval, share_interval
from models.errors import InputError
from models.threshold import Method, Reached, Threshold

Scores = NDArray[np.float32]


class Prices(NamedTuple):
    """What wrong verdicts cost on the line."""

    ratio: float  # what a false accept costs, in false rejects
    defect_share: float | None = None  # of the line's parts; None: as shown

    def check(self) -> None:
        """Raise ``InputError`` unless both make sense."""
        if not 0 < self.ratio < np.inf:
            raise InputError(f"cost ratio {self.ratio}: must be above 0")
        if self.defect_share is not None and not 0 < self.defect_share < 1:
            raise InputError(f"defect share {self.defect_share}: must be above 0 and below 1")

    def cost(
        self, misses: NDArray[np.float64], rejects: NDArray[np.float64], shown: float
    ) -> NDArray[np.float64]:
        """Give the cost of a part, in false rejects, from the shares of both that go wrong."""
        share = self.defect_share if self.defect_share is not None else shown
        return share * self.ratio * misses + (1 - share) * rejects


def best_f1(good: Scores, defects: Scores, confidence: float) -> Threshold:
    """Give the threshold of the best F1 on the parts that were shown; of equal ones the lowest.

    F1 weighs defects by how many were shown, which is not how many the line makes.
    """
    values, misses, rejects = _candidates(good, defects)
    found = len(defects) - misses
    f1 = 2 * found / (2 * found + misses + rejects)
    return _chosen(Method.F1, values[int(f1.argmax())], good, defects, confidence)


def lowest_cost(good: Scores, defects: Scores, prices: Prices, confidence: float) -> Threshold:
    """Give the threshold of the lowest cost on the parts that were shown; of equal ones the lowest.

    Raises ``InputError`` for prices that make no sense.
    """
    prices.check()
    values, misses, rejects = _candidates(good, defects)
    shown = len(defects) / (len(good) + len(defects))
    costs = prices.cost(misses / len(defects), rejects / len(good), shown)
    best = int(costs.argmin())
    made = _chosen(Method.COST, values[best], good, defects, confidence)
    assert made.reached is not None  # noqa: S101 (just given)
    reached = made.reached.model_copy(
        update={
            "cost": float(costs[best]),
            "cost_ratio": prices.ratio,
            "defect_share": shown if prices.defect_share is None else prices.defect_share,
        }
    )
    return made.model_copy(update={"reached": reached})


def reach(value: float, good: Scores, defects: Scores, confidence: float) -> Reached:
    """Say what a threshold reaches on the parts that were shown."""
    misses = int(np.count_nonzero(defects < value))
    rejects = int(np.count_nonzero(good >= value))
    found = len(defects) - misses
    return Reached(
        defects=len(defects),
        false_accepts=misses,
        false_rejects=rejects,
        recall=found / len(defects),
        recall_interval=share_interval(found, len(defects), confidence),
        precision=found / (found + rejects) if found + rejects else None,
        f1=2 * found / (2 * found + misses + rejects),
    )


def _candidates(
    good: Scores, defects: Scores
) -> tuple[Scores, NDArray[np.float64], NDArray[np.float64]]:
    """Give all thresholds that tell the scores apart differently, lowest first.

    Each with how many defects are below it and how many good parts are not. They lie in the middle
    between scores that differ, so that equal ones are never parted; the first is the lowest score.
    """
    distinct = np.unique(np.concatenate([good, defects]))
    below, above = distinct[:-1], distinct[1:]
    middles = ((below.astype(np.float64) + above) / 2).astype(np.float32)
    middles = np.where(middles > below, middles, above)  # neighbours in float32
    top = np.nextafter(distinct[-1], np.float32(np.inf))
    values = np.concatenate([distinct[:1], middles, [top]])
    misses = np.searchsorted(np.sort(defects), values, side="left")
    rejects = len(good) - np.searchsorted(np.sort(good), values, side="left")
    return values, misses.astype(np.float64), rejects.astype(np.float64)


def _chosen(
    method: Method, value: np.float32, good: Scores, defects: Scores, confidence: float
) -> Threshold:
    """State what is known of the rate of a threshold that was chosen by the scores themselves.

    As of one just above the highest good score below it. That it was chosen among several is not
    accounted for: more parts than asked for by the rate make up for it, nothing else does.
    """
    k = int(np.count_nonzero(good < value))
    return Threshold(
        value=float(value),
        method=method,
        rate=(len(good) + 1 - k) / (len(good) + 1),
        interval=reject_interval(np.sort(good), k, confidence),
        confidence=confidence,
        parts=len(good),
        reached=reach(float(value), good, defects, confidence),
    )
