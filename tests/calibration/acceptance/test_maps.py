"""Maps against training's: risen, far above, flat ones, fallen."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from calibration.acceptance.answer import Answer
from calibration.acceptance.maps import map_checks
from calibration.looked import MapHistograms, Measured
from models.bit_histogram import BitHistogram
from models.bundle import TrainingReference
from models.quantiles import quantile

P = (0.5, 0.9, 0.99, 0.995, 0.999, 1.0)


def cells(scale: float = 1.0, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    drawn = np.random.default_rng(seed).lognormal(0, 0.8, 20_000) * scale
    return np.asarray(drawn, np.float32)


def answers(
    local: np.ndarray[tuple[int], np.dtype[np.float32]],
    trained: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> set[Answer | None]:
    """The answers of a local map; the global map is as at training."""
    normal = tuple(quantile(trained, p) for p in P)
    reference = TrainingReference(
        frames=40,
        probabilities=P,
        local={"whole": normal},
        globally={"whole": normal},
        brightness=(0.4, 0.1),
        contrast=(0.4, 0.1),
        sharpness=(0.4, 0.1),
        scores={},
        separation={},
    )
    histograms = MapHistograms(BitHistogram(), BitHistogram())
    histograms.local.add(local)
    histograms.globally.add(trained)
    measured = cast(Measured, SimpleNamespace(histograms={"whole": histograms}))
    checks = map_checks(measured, reference)
    assert all(check.ok for check in checks if "global" in check.name)
    return {check.fails for check in checks}


def test_other_cells_of_the_same_parts_pass() -> None:
    assert answers(cells(seed=1), cells()) == {None}


@pytest.mark.parametrize("scale", [1.7, 0.5])
def test_maps_that_moved_are_told(scale: float) -> None:
    assert answers(cells(scale), cells()) == {None, Answer.LIGHTING_CHANGED}


def test_maps_far_above_training_need_training() -> None:
    assert Answer.NEEDS_RETRAINING in answers(cells(6), cells())


def test_a_few_defective_frames_do_not_make_it_another_product() -> None:
    spoilt = cells(seed=1)
    spoilt[:600] *= 100  # 3 % of the cells
    assert Answer.NEEDS_RETRAINING not in answers(spoilt, cells())


def test_flat_maps_are_not_far_above_as_soon_as_they_move() -> None:
    flat = np.asarray(np.random.default_rng(0).uniform(0.9, 1.0, 20_000), np.float32)
    assert answers(flat * np.float32(1.3), flat) == {None}
