"""Metrics of scores against scikit-learn, by hand, and for many weightings at once."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from training.evaluation.image_metrics import (
    NAMES,
    best_f1,
    count,
    measure,
    recall_at,
    roc,
)

Scored = tuple[NDArray[np.float64], NDArray[np.bool_]]


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Few scores with many ties, of both kinds."""
    size = draw(st.integers(2, 30))
    scores = draw(st.lists(st.integers(-3, 6), min_size=size, max_size=size))
    defective = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    assume(any(defective) and not all(defective))
    return np.array(scores, np.float64), np.array(defective, np.bool_)


def expected(
    scores: NDArray[np.float64], defective: NDArray[np.bool_], limit: float
) -> list[float]:
    """What scikit-learn says of the metrics that it has, in the order of ``NAMES``."""
    said = scores >= limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MCC of one class
        mcc = float(reference.matthews_corrcoef(defective, said))
    precision, recall, _ = reference.precision_recall_curve(defective, scores)
    best = float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))
    return [
        float(reference.roc_auc_score(defective, scores)),
        float(reference.average_precision_score(defective, scores)),
        best,
        float(reference.f1_score(defective, said)),
        float(reference.precision_score(defective, said, zero_division=np.nan)),
        float(reference.recall_score(defective, said)),
        mcc,
        float(reference.accuracy_score(defective, said)),
        float(np.mean(said[~defective])),
    ]


@settings(max_examples=40)
@given(scored(), st.floats(-5, 8) | st.integers(-4, 7))
def test_all_metrics_are_scikit_learns(given_: Scored, limit: float) -> None:
    scores, defective = given_
    found = measure(count(scores, defective), limit)
    assert list(found) == list(NAMES)
    values = [float(value) for value in found.values()][:9]
    assert values == pytest.approx(expected(scores, defective, limit), abs=1e-12, nan_ok=True)


@given(scored(), st.floats(0, 1))
def test_recall_at_a_rate_is_the_best_threshold_that_keeps_it(given_: Scored, rate: float) -> None:
    scores, defective = given_
    best = 0.0
    for threshold in [*scores, math.inf]:
        said = scores >= threshold
        if said[~defective].sum() <= (~defective).sum() * rate + 1e-9:  # a rate is a rounded share
            best = max(best, float(said[defective].mean()))
    assert float(recall_at(count(scores, defective), rate)) == pytest.approx(best, abs=1e-12)


def test_few_good_ones_support_a_low_rate_only_by_no_reject() -> None:
    """22 good ones: 0.1 % and 1 % are none, 5 % is one."""
    scores = np.array([*range(22), 21.5, 20.5, 19.5], np.float64)
    counts = count(scores, np.arange(25) >= 22)
    assert [float(recall_at(counts, r)) for r in (0.001, 0.01, 0.05)] == [1 / 3, 1 / 3, 2 / 3]
    assert float(recall_at(counts, 1 / 22)) == 2 / 3, "a rate that is a whole number of them"


@settings(max_examples=40)
@given(scored(), st.integers(0, 2**32 - 1))
def test_weights_are_repetitions(given_: Scored, seed: int) -> None:
    scores, defective = given_
    weights = np.random.default_rng(seed).integers(0, 4, (5, len(scores))).astype(np.float64)
    found = measure(count(scores, defective, weights), 1.5)
    for row in range(5):
        times = weights[row].astype(int)
        again, kinds = np.repeat(scores, times), np.repeat(defective, times)
        if not kinds.any() or kinds.all():
            assert math.isnan(found["auroc"][row])
            continue
        single = measure(count(again, kinds), 1.5)
        for name in NAMES:
            assert float(found[name][row]) == pytest.approx(
                float(single[name]), abs=1e-12, nan_ok=True
            ), name


@pytest.mark.parametrize("kind", [True, False])
def test_one_class_alone_leaves_undefined_what_compares_the_two(kind: bool) -> None:
    found = measure(count(np.array([1.0, 2.0]), np.array([kind, kind])), 1.5)
    undefined = {name for name, value in found.items() if math.isnan(float(value))}
    always = {"auroc", "mcc", *(name for name in NAMES if name.startswith("recall_at"))}
    if kind:
        assert undefined == always | {"false_reject_rate"}
        assert float(found["recall"]) == 0.5
    else:
        assert undefined == always | {"au_pr", "f1_best", "f1", "recall"}
        assert float(found["false_reject_rate"]) == 0.5


def test_a_score_at_the_threshold_is_a_reject() -> None:
    counts = count(np.array([0.1, 0.2, 0.3]), np.array([False, True, True]))
    assert float(measure(counts, 0.2)["recall"]) == 1
    assert float(measure(counts, math.nextafter(0.2, 1))["recall"]) == 0.5
    f1, at = best_f1(counts)
    assert (float(f1), float(counts.thresholds[at])) == (1, 0.2)


def test_the_roc_curve_goes_from_none_to_all() -> None:
    false, true = roc(count(np.array([3.0, 2, 2, 1]), np.array([True, True, False, False])))
    assert false.tolist() == [0, 0, 0.5, 1]
    assert true.tolist() == [0, 0.5, 1, 1]
