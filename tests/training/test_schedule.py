"""Learning rate and L_hard's quantile over a run."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.schedule import Schedule, ramped
from training.settings import TrainSettings


def test_the_step_schedule_is_the_thesis() -> None:
    factors = [Schedule.STEP.factor(step, 100) for step in range(100)]
    assert factors == [1.0] * 95 + [0.1] * 5


def test_cosine_warms_up_and_falls() -> None:
    factors = [Schedule.COSINE.factor(step, 1000) for step in range(1000)]
    assert factors.index(max(factors)) == pytest.approx(99, abs=3)
    assert factors[-1] == pytest.approx(0.01, abs=1e-3)


def test_l_hard_comes_from_all_elements_to_the_hardest() -> None:
    shares = [1 - ramped(0.999, step, 100) for step in (0, 50, 100, 150)]
    assert shares == pytest.approx([1, 0.001**0.5, 0.001, 0.001])


def test_without_a_ramp_it_is_the_thesis_from_the_first_step_on() -> None:
    assert TrainSettings(steps=10, hard_ramp=0).at(0).hard_quantile == 0.999
    assert TrainSettings(steps=10, hard_ramp=0.5).at(0).hard_quantile == 0
    assert TrainSettings(steps=10, hard_ramp=0.5).at(5).hard_quantile == 0.999


@given(st.floats(0, 1), st.integers(1, 1000), st.floats(0, 1))
@example(quantile=9.637125367486884e-17, steps=3, ramp=1.0)  # 1 - (1 - q) rounds up
def test_the_quantile_never_falls(quantile: float, steps: int, ramp: float) -> None:
    seen = [ramped(quantile, step, ramp * steps) for step in range(0, steps, max(1, steps // 50))]
    assert all(0 <= before <= after <= quantile for before, after in itertools.pairwise(seen))
