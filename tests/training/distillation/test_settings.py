"""What a distillation may be asked for, and its learning rate."""

from pathlib import Path

import pytest

from models.errors import InputError
from training.distillation.settings import DistillSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch": 0},
        {"channels": 0},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"seed": -1},
        {"views": -1},
        {"cells": 0},
        {"cells": 57},
        {"cooldown": 1.1},
        {"snapshots": -1},
        {"checkpoint_every": 0},
    ],
)
def test_settings_that_no_run_can_have(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=rf"^{name} = [^\n]*must be [^\n]*$"):
        DistillSettings(Path(), **wrong)  # type: ignore[arg-type]


def test_the_rate_warms_up_holds_and_comes_down() -> None:
    chosen = DistillSettings(Path(), steps=1000, rate=0.5, cooldown=0.2)
    rates = [chosen.rate_at(step) for step in range(1000)]
    assert rates[:3] == pytest.approx([0.01, 0.02, 0.03])
    assert rates[49:800] == [0.5] * 751
    assert rates[900] == pytest.approx(0.25)
    assert 0 < rates[999] < 0.5e-4
    assert sorted(rates[800:], reverse=True) == rates[800:]


def test_without_cooldown_the_rate_holds() -> None:
    assert DistillSettings(Path(), steps=60, cooldown=0).rate_at(59) == 1e-4
