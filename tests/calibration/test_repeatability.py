"""How steady one part's verdict is, in numbers that were worked out otherwise."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import optimize, stats

from calibration.judged import JudgedPart
from calibration.repeatability import flip_probability, repeatability
from calibration.verbs.repeat import conclusion
from daemon.messages import Kind
from models.errors import InputError

THRESHOLD = 1.0


def triggers(scores: Sequence[float]) -> list[JudgedPart]:
    return [
        JudgedPart("part", Kind.FAIL if s >= THRESHOLD else Kind.PASS, s, {"whole local": 2 * s})
        for s in scores
    ]


def test_numbers_worked_out_by_hand() -> None:
    """0.2 and 0.4, six times each: mean 0.3, squares of 0.1 each, so 12 * 0.01 / 11."""
    found = repeatability(triggers([0.2, 0.4] * 6), THRESHOLD)
    deviation = math.sqrt(0.12 / 11)
    assert (found.triggers, found.verdict, found.other) == (12, Kind.PASS, 0)
    assert found.score.mean == pytest.approx(0.3)
    assert found.score.deviation == pytest.approx(deviation)
    assert found.maps["whole local"].mean == pytest.approx(0.6)
    assert found.maps["whole local"].deviation == pytest.approx(2 * deviation)
    assert found.distance == pytest.approx(0.7 / deviation)
    assert found.flip == pytest.approx(0.5 * math.erfc(0.7 / deviation / math.sqrt(2)))
    assert found.other_interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 12)))


def test_verdicts_that_flip_are_counted() -> None:
    found = repeatability(triggers([0.9] * 9 + [1.1] * 3), THRESHOLD)
    assert (found.verdict, found.other) == (Kind.PASS, 3)
    assert not found.repeatable(0.99)
    assert "NOT repeatable" in conclusion(found, 0.99)


def test_a_part_that_fails_is_as_repeatable_as_one_that_passes() -> None:
    scores = np.random.default_rng(1).normal(0.5, 0.02, 50)
    good = repeatability(triggers(scores.tolist()), THRESHOLD)
    bad = repeatability(triggers((2 * THRESHOLD - scores).tolist()), THRESHOLD)
    assert (good.verdict, bad.verdict) == (Kind.PASS, Kind.FAIL)
    assert good.flip_interval == pytest.approx(bad.flip_interval)
    assert good.repeatable(0.001)
    assert bad.repeatable(0.001)


def test_few_triggers_close_to_the_threshold_prove_nothing() -> None:
    """No verdict flipped, and yet a flip in a thousand cannot be ruled out."""
    found = repeatability(triggers([0.7, 0.8] * 5), THRESHOLD)
    assert found.other == 0
    assert found.flip < 0.001 < found.flip_interval[1]
    assert not found.repeatable(0.001)


@pytest.mark.parametrize(("distance", "count"), [(0.0, 50), (2.0, 10), (4.0, 50), (9.0, 200)])
def test_the_interval_is_that_of_the_noncentral_t(distance: float, count: int) -> None:
    """The reference: the d for which the estimate seen is at a tail of its noncentral t."""

    def reference(probability: float) -> float:
        root = math.sqrt(count)
        found = optimize.brentq(
            lambda d: stats.nct.cdf(root * distance, count - 1, root * d) - probability,
            distance - 5 - distance / 2,
            distance + 5 + distance / 2,
        )
        return float(stats.norm.sf(found))

    _, interval = flip_probability(distance, count, 0.95, same=True)
    assert interval == pytest.approx((reference(0.025), reference(0.975)), rel=1e-5)


def test_the_interval_holds_as_often_as_it_says() -> None:
    """Of 100 parts with a real distance of 2.5, 30 triggers each; 95 % of 100 +- 4 deviations."""
    rng = np.random.default_rng(2)
    real, holds = float(stats.norm.sf(2.5)), 0
    for _ in range(100):
        scores = rng.normal(0, 1, 30)
        seen = (2.5 - scores.mean()) / scores.std(ddof=1)
        low, high = flip_probability(float(seen), 30, 0.95, same=True)[1]
        holds += low <= real <= high
    assert abs(holds - 95) < 4 * math.sqrt(100 * 0.95 * 0.05)


@pytest.mark.parametrize("distance", [40.0, 1e6, -1e6])
def test_what_is_very_far_off_has_an_interval_too(distance: float) -> None:
    flip, (low, high) = flip_probability(distance, 50, 0.95, same=distance > 0)
    assert low <= flip <= high
    assert high < 1e-100 or low > 1 - 1e-12


def test_equal_scores_are_told() -> None:
    found = repeatability(triggers([0.5] * 20), THRESHOLD)
    assert (found.distance, found.flip, found.flip_interval) == (None, 0.0, (0.0, 0.0))
    assert found.repeatable(0.001)
    assert "is it the same image each time?" in conclusion(found, 0.001)


def test_a_drift_from_trigger_to_trigger_is_told() -> None:
    found = repeatability(triggers(np.linspace(0.3, 0.4, 20).tolist()), THRESHOLD)
    assert found.trend == pytest.approx(1.0)
    assert "something drifts" in conclusion(found, 0.001)


def test_too_few_triggers_are_refused() -> None:
    with pytest.raises(InputError, match="9 triggers of the part: show it at least 10 times"):
        repeatability(triggers([0.5] * 9), THRESHOLD)
