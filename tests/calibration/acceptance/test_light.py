"""Light against training's: what is chance, what matters, what is told."""

import math

import numpy as np
import pytest

from calibration.acceptance.answer import Answer
from calibration.acceptance.light import allowed_shift, light_checks
from calibration.looked import FrameLook
from models.bundle import TrainingReference

MEAN, DEVIATION = 0.4, 0.02


def reference(frames: int = 40) -> TrainingReference:
    return TrainingReference(
        frames=frames,
        probabilities=(0.5,),
        local={},
        globally={},
        brightness=(MEAN, DEVIATION),
        contrast=(0.2, 0.01),
        sharpness=(0.001, 0.0001),
        scores={},
        separation={},
    )


def frames(
    brightness: list[float], contrast: float = 0.2, sharpness: float = 0.001
) -> list[FrameLook]:
    return [
        FrameLook(f"{n}", f"{n:064x}", f"{n}", 0.1, {}, light, contrast, sharpness)
        for n, light in enumerate(brightness)
    ]


def answers(found: list[FrameLook], frames: int = 40) -> dict[str, Answer | None]:
    return {check.name: check.fails for check in light_checks(found, reference(frames))}


def test_frames_like_those_of_training_pass() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        shown = random.normal(MEAN, DEVIATION, 50).tolist()
        assert answers(frames(shown))["brightness"] is None


@pytest.mark.parametrize("shift", [-1.6, 1.6])
def test_light_off_by_more_than_a_deviation_is_told_either_way(shift: float) -> None:
    random = np.random.default_rng(2)
    shown = random.normal(MEAN + shift * DEVIATION, DEVIATION, 50).tolist()
    assert answers(frames(shown))["brightness"] is Answer.LIGHTING_CHANGED
    (check, *_) = light_checks(frames(shown), reference())
    assert ("above" in check.says) == (shift > 0)


def test_a_blur_is_told_by_sharpness_alone() -> None:
    found = answers(frames([MEAN] * 20, sharpness=0.0002))
    assert found == {
        "brightness": None,
        "contrast": None,
        "sharpness": Answer.LIGHTING_CHANGED,
    }


def test_what_no_one_calls_a_change_passes_however_even_the_frames_were() -> None:
    assert allowed_shift(0.0, 1000, 1000, 0.02) == 0.02


def test_a_shift_is_allowed_that_few_frames_on_either_side_explain() -> None:
    assert allowed_shift(DEVIATION, 50, 40, 0) == pytest.approx(DEVIATION * math.sqrt(40 / 39))
    by_hand = 636.619 * DEVIATION * math.sqrt(2) * math.sqrt(1 / 50 + 1 / 2)  # t of 1 degree
    assert allowed_shift(DEVIATION, 50, 2, 0) == pytest.approx(by_hand, rel=1e-4)
    assert allowed_shift(DEVIATION, 4, 40, 0) > allowed_shift(DEVIATION, 50, 40, 0)


def test_a_reference_of_one_frame_allows_all_and_says_so() -> None:
    check = light_checks(frames([0.9]), reference(1))[0]
    assert check.ok
    assert "one frame" in check.limit
