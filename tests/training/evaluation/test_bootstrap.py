"""Resamples keep kinds and parts together, and intervals are the ones of the theory."""

import numpy as np
import pytest

from training.evaluation.bootstrap import Bootstrap, Parts, interval
from training.evaluation.image_metrics import auroc, count

HOW = Bootstrap(resamples=500, seed=3)


def test_views_of_a_part_come_and_go_together_and_kinds_keep_their_number() -> None:
    names = ["a", "a", "b", "c", "c", "c", "d", "e"]
    defective = np.array([1, 0, 0, 0, 0, 0, 1, 1], np.bool_)
    parts = Parts.of(names, defective)
    assert parts.defective.tolist() == [True, False, False, True, True]
    drawn = parts.resampled(HOW)
    assert (drawn[:, parts.defective].sum(axis=1) == 3).all()
    assert (drawn[:, ~parts.defective].sum(axis=1) == 2).all()
    images = drawn[:, parts.of_image]
    assert (images[:, 0] == images[:, 1]).all()
    assert (images[:, 3] == images[:, 5]).all()
    assert drawn.std(axis=0).min() > 0, "no part is always there"


def test_a_parts_score_is_its_highest_view() -> None:
    parts = Parts.of(["b", "a", "b", "a"], np.zeros(4, np.bool_))
    assert parts.highest(np.array([1.0, 5, 3, -7])).tolist() == [3, 5]


def test_the_seed_decides_the_draws() -> None:
    parts = Parts.of(list("abcdef"), np.array([0, 0, 0, 1, 1, 1], np.bool_))
    assert (parts.resampled(HOW) == parts.resampled(HOW)).all()
    assert (parts.resampled(HOW) != parts.resampled(Bootstrap(500, 4))).any()


def test_the_interval_of_a_share_has_the_width_of_theory() -> None:
    """Recall of 200 parts of which a half is found: deviation sqrt(0.25 / 200)."""
    scores = np.array([0.0] * 100 + [1.0] * 100 + [0.0] * 50)
    defective = np.arange(250) < 200
    parts = Parts.of(list(range(250)), defective)
    drawn = parts.resampled(Bootstrap(4000))
    found = (drawn[:, :200] @ (scores[:200] > 0.5)) / 200
    low, high = interval(found, Bootstrap()) or (0, 0)
    assert (high - low) / 2 == pytest.approx(1.96 * (0.25 / 200) ** 0.5, rel=0.06)
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.01)
    spread = auroc(count(scores, defective, drawn))
    assert float(np.mean(spread)) == pytest.approx(0.75, abs=0.01)


def test_resamples_without_a_value_are_left_out_but_not_many() -> None:
    values = np.array([*range(95), *[np.nan] * 5], np.float64)
    assert interval(values, Bootstrap(level=0.9)) == pytest.approx((4.7, 89.3))
    values[:10] = np.nan
    assert interval(values, Bootstrap()) is None
    assert interval(np.empty(0), Bootstrap()) is None
