"""Settings that no run can have are refused, and the rate follows its schedule."""

import math

import numpy as np
import pytest

from models.errors import InputError
from training.schedule import Schedule
from training.settings import TrainSettings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "steps = 0: must be 1 or more"),
        ({"batch": 0}, "batch = 0: must be 1 or more"),
        ({"rate": 0.0}, "rate = 0.0: must be above 0"),
        ({"rate": math.nan}, "rate = nan: must be above 0"),
        ({"seed": -1}, "seed = -1: must be 0 or more"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0: must be 0 or more"),
        ({"coeff_cdo": -0.1}, "coeff_cdo = -0.1: must be 0"),
        ({"coeff_ae": math.nan}, "coeff_ae = nan: must be 0"),
        ({"hard_quantile": 1.1}, "hard_quantile = 1.1: must be 0 to 1"),
        ({"synthetic_probability": math.nan}, "synthetic_probability = nan: must be 0 to 1"),
        ({"cdo_gamma": -1.0}, "cdo_gamma = -1.0: must be 0 or more"),
        ({"ema": 1.0}, "ema = 1.0: must be 0 .* below 1"),
        ({"checkpoint_every": 0}, "checkpoint_every = 0: must be 1 or more"),
        ({"coeff_hard": 0.0, "coeff_ae": 0.0, "coeff_stae": 0.0}, "set one above 0"),
    ],
)
def test_settings_that_no_run_can_have(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrainSettings(**settings)  # type: ignore[arg-type]


def test_the_cosine_warms_up_and_comes_down_to_a_hundredth() -> None:
    factors = [Schedule.COSINE.factor(step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(0.01)
    assert max(factors) == pytest.approx(1, abs=0.05)
    assert int(np.argmax(factors)) == 99
    assert factors[-1] == pytest.approx(0.01, abs=1e-4)


def test_the_step_is_the_thesis_schedule() -> None:
    """70,000 steps, a tenth from 95 % on."""
    factors = [Schedule.STEP.factor(step, 70_000) for step in (0, 66_499, 66_500, 69_999)]
    assert factors == [1, 1, 0.1, 0.1]
