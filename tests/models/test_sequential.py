"""A shift is told soon, and nothing is told where there is none."""

import math
from collections.abc import Iterable
from statistics import NormalDist, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.sequential import (
    FALSE_ALARM_FRAMES,
    FINE,
    GUARD,
    MOST_KNOWN,
    SHARP,
    ShiftTest,
    TestState,
)

Floats = NDArray[np.float64]
_NORMAL = NormalDist()


def _density(z: Floats) -> Floats:
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def run_length(k: float, h: float, shift: float = 0.0) -> float:
    """Average frames until a one-sided CUSUM of shifted normal scores alarms.

    The integral equation of Page, on Gauss-Legendre points.
    """
    points, weights = np.polynomial.legendre.leggauss(int(6 * h) + 60)
    y, w = h * (points + 1) / 2, h * weights / 2
    at = np.concatenate([[0.0], y])
    matrix = np.empty((len(at), len(at)))
    matrix[:, 0] = [_NORMAL.cdf(k - shift - u) for u in at]
    matrix[:, 1:] = w * _density(y + k - shift - at[:, None])
    lengths = np.linalg.solve(np.eye(len(at)) - matrix, np.ones(len(at)))
    return float(lengths[0])


def alarm(test: ShiftTest, values: Iterable[float]) -> int | None:
    """At which value a test alarms, counted from 1."""
    return next((n for n, value in enumerate(values, start=1) if test.see(value)), None)


def normal(seed: int, count: int, shift: float = 0.0) -> list[float]:
    found: list[float] = (np.random.default_rng(seed).standard_normal(count) + shift).tolist()
    return found


def test_run_lengths_are_those_of_the_literature() -> None:
    # Montgomery, Introduction to Statistical Quality Control, table 9.3: k = 0.5, h = 4 and 5, of
    # two sides, each by itself twice as long.
    assert run_length(0.5, 4) == pytest.approx(2 * 168, rel=0.005)
    assert run_length(0.5, 5) == pytest.approx(2 * 465, rel=0.005)
    assert run_length(0.5, 4, shift=1) == pytest.approx(8.38, rel=0.005)


def test_limits_give_the_stated_rate_of_false_alarms() -> None:
    off = 0.02  # that what is known may be off
    assert off > 2.8 / math.sqrt(MOST_KNOWN)
    lengths = [
        run_length(FINE[0] - off, FINE[1]),
        run_length(SHARP[0] - off, SHARP[1]),
        run_length(*GUARD),
    ]
    # 4 tests of 2 sides; false alarms of all charts add up (Bonferroni).
    together = 1 / sum(8 / length for length in lengths)
    assert together == pytest.approx(FALSE_ALARM_FRAMES, rel=0.05)


def test_a_run_length_is_what_counting_finds() -> None:
    """At a low limit, where alarms can be counted."""
    rng, k, h = np.random.default_rng(3), 0.5, 4.0
    charts, steps, alarms = 2000, 3000, 0
    sums = np.zeros(charts)
    for _ in range(steps):
        sums = np.maximum(0, sums + rng.standard_normal(charts) - k)
        alarms += int(np.count_nonzero(sums >= h))
        sums[sums >= h] = 0
    assert charts * steps / alarms == pytest.approx(run_length(k, h), rel=0.03)


@pytest.mark.parametrize("size", [50, 200, 1000])
def test_1e5_values_like_the_reference_raise_nothing(size: int) -> None:
    assert alarm(ShiftTest(normal(size, size)), normal(size + 1, 100_000)) is None


def test_values_of_another_distribution_raise_nothing() -> None:
    rng = np.random.default_rng(1)
    test = ShiftTest(rng.lognormal(sigma=1.5, size=50).tolist())
    assert alarm(test, rng.lognormal(sigma=1.5, size=30_000).tolist()) is None


@pytest.mark.parametrize("size", [50, 200, 1000])
@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_a_standard_deviation_is_told_within_50_values(size: int, shift: float) -> None:
    delays = []
    for seed in range(15):
        test = ShiftTest(normal(seed, size))
        assert alarm(test, normal(100 + seed, 500)) is None
        found = alarm(test, normal(200 + seed, 500, shift))
        assert found is not None
        assert math.copysign(1, test.level) == shift
        delays.append(found)
    assert median(delays) <= 50


def test_twice_as_many_false_rejects_are_told_within_1000_values() -> None:
    shift = _NORMAL.inv_cdf(0.999) - _NORMAL.inv_cdf(0.998)
    delays = []
    for seed in range(7):
        test = ShiftTest(normal(seed, 50))
        assert alarm(test, normal(300 + seed, 20_000)) is None
        delays.append(alarm(test, normal(400 + seed, 4000, shift)) or 4000)
    assert median(delays) <= 1000


def test_what_comes_slowly_is_told_though_much_of_it_is_learned() -> None:
    """A drift of two deviations over 20 000 values."""
    test = ShiftTest(normal(1, 200))
    values = np.array(normal(2, 20_000)) + np.linspace(0, 2, 20_000)
    assert alarm(test, values.tolist()) is not None


def test_a_shift_right_after_the_calibration_is_told_by_the_guard() -> None:
    """The others learn it: of 20 values known, 20 that have shifted are a half."""
    delays = [
        alarm(ShiftTest(normal(seed, 20)), normal(50 + seed, 1000, 2.0)) or 1000
        for seed in range(15)
    ]
    assert median(delays) <= 150


def test_neighbours_that_go_together_raise_nothing() -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_normal(30_000)
    for n in range(1, len(values)):
        values[n] = 0.6 * values[n - 1] + 0.8 * values[n]
    assert alarm(ShiftTest(normal(6, 200)), values.tolist()) is None


def slow_scores(reference: list[float], values: list[float]) -> list[float]:
    """Normal scores of sequential ranks, counted anew each time."""
    known, scores = list(reference), []
    for value in values:
        rank = sum(x < value for x in known) + sum(x == value for x in known) / 2 + 0.5
        scores.append(_NORMAL.inv_cdf(rank / (len(known) + 1)))
        known.append(value)
    return scores


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=20),
    st.lists(st.integers(0, 9), min_size=1, max_size=40),
)
def test_charts_are_those_of_a_slow_reference(reference: list[int], values: list[int]) -> None:
    test = ShiftTest([float(x) for x in reference])
    scores = slow_scores([float(x) for x in reference], [float(x) for x in values])
    up = down = 0.0
    squares = differences = 200.0
    before: float | None = None
    for n, (value, score) in enumerate(zip(values, scores, strict=True)):
        weight = 200 + max(0, n - 1)
        share = differences / weight / min(1.0, squares / weight)
        correlation = min(max(0.0, 1 - share), 0.95)
        scaled = score * math.sqrt((1 - correlation) / (1 + correlation))
        up, down = max(0.0, up + scaled - SHARP[0]), max(0.0, down - scaled - SHARP[0])
        test.see(float(value))
        if test.over:
            return  # learns no more
        if before is not None:
            differences, squares = differences + (score - before) ** 2 / 2, squares + score**2
        before = score
        assert test.state().sums[2:4] == pytest.approx((up, down), abs=1e-9)


def test_an_alarm_is_raised_once_and_is_over_when_the_values_are_back() -> None:
    test = ShiftTest(normal(1, 200))
    alarm(test, normal(2, 3000))
    known = test.known
    assert sum(test.see(value) for value in normal(3, 2000, 1.5)) == 1
    assert test.over
    assert test.level == 1.0
    assert test.known < known + 50, "what has shifted is not learned"
    assert test.recent == pytest.approx(1.5, abs=0.5)
    assert alarm(test, normal(4, 2000)) is None
    assert not test.over


def test_what_is_known_is_bounded() -> None:
    test = ShiftTest(normal(1, 2))
    for value in normal(2, MOST_KNOWN + 10):
        test.see(value)
    assert test.known == MOST_KNOWN


def test_changes_within_the_tolerance_are_none() -> None:
    same = [0.5] * 50
    assert alarm(ShiftTest(same, 0.002), [0.5015] * 2000) is None
    assert alarm(ShiftTest(same, 0.002), [0.503] * 2000) is not None


def test_goes_on_from_its_state() -> None:
    whole, first, second = (ShiftTest(normal(1, 50)) for _ in range(3))
    values = normal(2, 600, 0.3)
    for value in values[:300]:
        first.see(value)
    second.go_on(TestState.model_validate_json(first.state().model_dump_json()))
    for value in values:
        whole.see(value)
    for value in values[300:]:
        second.see(value)
    assert second.state() == whole.state()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="value"):
        ShiftTest([1.0, 2.0]).see(bad)
    with pytest.raises(ValueError, match="reference"):
        ShiftTest([1.0])
