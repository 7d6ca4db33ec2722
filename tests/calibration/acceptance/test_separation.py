"""Separation by synthetic defects: the numbers, and what is neither chance nor small."""

import numpy as np
import pytest

from calibration.acceptance.answer import Answer
from calibration.acceptance.separation import (
    least_auroc,
    least_found,
    separation_checks,
    standard_error,
)
from models.bundle import Separation, TrainingReference
from models.mode import Mode
from training.separation import separation_of


def reference(**kept: Separation) -> TrainingReference:
    return TrainingReference(
        frames=40,
        probabilities=(0.5,),
        local={},
        globally={},
        brightness=(0.4, 0.1),
        contrast=(0.4, 0.1),
        sharpness=(0.4, 0.1),
        scores={},
        separation=kept,
    )


KEPT = Separation(found=0.8, auroc=0.95, frames=24)


def failed(found: Separation, mode: Mode = Mode.WHOLE) -> list[str]:
    checks = separation_checks(found, 50, mode, reference(whole=KEPT, tiles=KEPT))
    return [check.name for check in checks if not check.ok]


def test_separation_is_that_of_all_pairs() -> None:
    random = np.random.default_rng(3)
    clean, spoilt = random.integers(0, 8, 30), random.integers(2, 12, 20)
    pairs = [(s > c) + 0.5 * (s == c) for c in clean for s in spoilt]
    found = separation_of(clean.tolist(), spoilt.tolist(), 8.0)
    assert found.auroc == pytest.approx(np.mean(pairs))
    assert found.found == pytest.approx(np.mean(spoilt >= 8))
    assert found.frames == 20


def test_the_standard_error_is_about_what_draws_show() -> None:
    random = np.random.default_rng(4)
    drawn = [
        separation_of(random.exponential(1, 60).tolist(), random.exponential(6, 15).tolist(), 0)
        for _ in range(3000)
    ]  # of exponential scores, which the formula assumes
    areas = [found.auroc for found in drawn]
    assert standard_error(float(np.mean(areas)), 15, 60) == pytest.approx(np.std(areas), rel=0.04)


def test_a_recipe_that_separates_as_at_training_passes() -> None:
    assert failed(KEPT) == []
    assert failed(Separation(found=0.75, auroc=0.9, frames=24)) == []


def test_a_recipe_that_guesses_needs_training() -> None:
    assert len(failed(Separation(found=0.0, auroc=0.55, frames=24))) == 2


@pytest.mark.parametrize(
    ("auroc", "answer"), [(0.8, Answer.LIGHTING_CHANGED), (0.6, Answer.NEEDS_RETRAINING)]
)
def test_a_lesser_loss_is_of_the_light(auroc: float, answer: Answer) -> None:
    found = Separation(found=0.8, auroc=auroc, frames=24)
    checks = separation_checks(found, 50, Mode.WHOLE, reference(whole=KEPT))
    assert [check.fails for check in checks] == [answer, None]
    assert checks[0].says


def test_a_threshold_that_finds_nothing_is_told_though_scores_separate() -> None:
    assert failed(Separation(found=0.2, auroc=0.95, frames=24)) == [
        "synthetic defects, found at the threshold"
    ]


def test_adaptive_is_held_against_whole_and_an_unknown_mode_against_nothing() -> None:
    blind = Separation(found=0.0, auroc=0.5, frames=24)
    assert failed(blind, Mode.ADAPTIVE)
    assert separation_checks(blind, 50, Mode.PYRAMID, reference(whole=KEPT)) == []
    assert separation_checks(None, 50, Mode.WHOLE, reference(whole=KEPT)) == []


def test_fewer_frames_allow_more() -> None:
    few = Separation(found=0.8, auroc=0.95, frames=5)
    assert least_auroc(KEPT, 40, few, 8, 0.75) < least_auroc(KEPT, 40, KEPT, 50, 0.75)
    assert least_found(KEPT, few) < least_found(KEPT, KEPT)
