"""Metrics of scores: of images, or of parts. A score at or above the threshold is a reject.

All are of counts along the last axis, so that thousands of resamples are as quick as one; what is
undefined is NaN. Equal scores are one threshold.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

FALSE_REJECT_RATES = (0.001, 0.01, 0.05)


class Counts(NamedTuple):
    """Rejects at each distinct score as threshold, the highest first."""

    thresholds: _Floats  # (T,)
    true: _Floats  # (..., T): defective ones that are rejected
    false: _Floats  # (..., T): good ones that are rejected
    defective: _Floats  # (...,): all of them
    good: _Floats  # (...,)


def count(scores: _Floats, defective: NDArray[np.bool_], weights: _Floats | None = None) -> Counts:
    """Count rejects over the thresholds.

    ``scores`` and ``defective`` are (n,); ``weights``, (..., n), is how often each counts: once by
    default.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(scores) else order
    bad = weights[..., order] * defective[order]
    fine = weights[..., order] * ~defective[order]
    return Counts(
        ordered[last],
        np.cumsum(bad, axis=-1)[..., last],
        np.cumsum(fine, axis=-1)[..., last],
        bad.sum(axis=-1),
        fine.sum(axis=-1),
    )


def roc(counts: Counts) -> tuple[_Floats, _Floats]:
    """Give false and true reject rate, (..., T + 1), from no reject to all."""
    rates = []
    for rejected, total in ((counts.false, counts.good), (counts.true, counts.defective)):
        started = np.concatenate([np.zeros_like(rejected[..., :1]), rejected], axis=-1)
        rates.append(_share(started, total[..., None]))
    return rates[0], rates[1]


def auroc(counts: Counts) -> _Floats:
    """Give the area under the ROC curve; a tie of a good and a defective one counts one half."""
    false, true = roc(counts)
    return np.asarray(np.trapezoid(true, false, axis=-1))


def average_precision(counts: Counts) -> _Floats:
    """Give AU-PR as average precision: the precision at each threshold, weighed by its recall."""
    _, recall = roc(counts)
    precision = _share(counts.true, counts.true + counts.false)
    # A threshold above all that a resample drew has no precision, and adds no recall.
    gained = np.where(np.isnan(precision), 0, precision) * np.diff(recall, axis=-1)
    return np.where(counts.defective > 0, gained.sum(axis=-1), np.nan)


def best_f1(counts: Counts) -> tuple[_Floats, NDArray[np.int64]]:
    """Give the highest F1 of all thresholds, and at which it is."""
    f1 = _f1(counts.true, counts.false, counts.defective[..., None])
    at = np.argmax(np.where(np.isnan(f1), -1, f1), axis=-1)
    return np.take_along_axis(f1, at[..., None], axis=-1)[..., 0], at


def recall_at(counts: Counts, false_reject_rate: float) -> _Floats:
    """Give the highest recall of a threshold that rejects no larger share of the good ones.

    So few good ones as 22 support 0.1 % only by none: it is then the share of defective ones that
    score higher than all good ones.
    """
    allowed = np.floor(counts.good * false_reject_rate + 1e-9)
    true = np.where(counts.false <= allowed[..., None], counts.true, 0)
    return _share(true.max(axis=-1, initial=0), np.where(counts.good > 0, counts.defective, 0))


def at_threshold(counts: Counts, threshold: float) -> dict[str, _Floats]:
    """Give what a set threshold does: by name, each (...,)."""
    at = int(np.searchsorted(-counts.thresholds, -threshold, side="right"))
    nothing = np.zeros_like(counts.good)
    true = counts.true[..., at - 1] if at else nothing
    false = counts.false[..., at - 1] if at else nothing
    missed, passed = counts.defective - true, counts.good - false
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt((true + false) * (true + missed) * (passed + false) * (passed + missed))
        mcc = np.where(spread > 0, (true * passed - false * missed) / spread, 0.0)
    both = (counts.defective > 0) & (counts.good > 0)
    return {
        "f1": _f1(true, false, counts.defective),
        "precision": _share(true, true + false),
        "recall": _share(true, counts.defective),
        "mcc": np.where(both, mcc, np.nan),
        "accuracy": _share(true + passed, counts.defective + counts.good),
        "false_reject_rate": _share(false, counts.good),
    }


#: Names of all metrics, in the order in which they are told, and what they are called.
NAMES = {
    "auroc": "AUROC",
    "au_pr": "AU-PR",
    "f1_best": "F1 at the best threshold",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "mcc": "MCC",
    "accuracy": "accuracy",
    "false_reject_rate": "false reject rate",
    **{
        f"recall_at_frr_{rate:g}": f"recall at a false reject rate of {100 * rate:g} %"
        for rate in FALSE_REJECT_RATES
    },
}


def measure(counts: Counts, threshold: float | None) -> dict[str, _Floats]:
    """Give all metrics by the names in ``NAMES``; without a threshold none that needs one."""
    found = {
        "auroc": auroc(counts),
        "au_pr": average_precision(counts),
        "f1_best": best_f1(counts)[0],
    }
    if threshold is not None:
        found |= at_threshold(counts, threshold)
    return found | {f"recall_at_frr_{r:g}": recall_at(counts, r) for r in FALSE_REJECT_RATES}


def _share(part: _Floats, total: _Floats) -> _Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, part / total, np.nan)


def _f1(true: _Floats, false: _Floats, defective: _Floats) -> _Floats:
    """2 TP / (2 TP + FP + FN); without a defective one there is no F1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(defective > 0, 2 * true / (true + false + defective), np.nan)
