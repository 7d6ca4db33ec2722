"""The worker answers every frame, whatever the model does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.claims import Claim, Inspected, Unseen
from daemon.frames import Frame
from daemon.infer import Inspector, infer
from daemon.messages import Reason
from models import recipe as recipes
from models.engine import Engine
from models.pixel_format import PixelFormat


@pytest.fixture
def inspector(tiny_recipe: Path) -> Inspector:
    loaded = recipes.load(tiny_recipe)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision)
    return Inspector(engine, loaded)


def frames_of(pixels: list[NDArray[np.uint8]], given_back: list[int]) -> list[Frame]:
    return [
        Frame(
            Claim("nut", number, "c"),
            image,
            PixelFormat.RGB8,
            lambda n=number: given_back.append(n),  # type: ignore[misc]
        )
        for number, image in enumerate(pixels, start=1)
    ]


def test_a_frame_that_the_model_fails_on_is_no_verdict_and_no_end(
    inspector: Inspector, passing: NDArray[np.uint8]
) -> None:
    given_back: list[int] = []
    flat = passing[:, :, 0]  # not what its format says
    found = list(infer(frames_of([passing, flat, passing], given_back), {"nut": inspector}))
    outcomes = [outcome for _, outcome in found]
    assert [claim.number for claim, _ in found] == [1, 2, 3] == given_back
    assert isinstance(outcomes[0], Inspected)
    assert isinstance(outcomes[1], Unseen)
    assert outcomes[1].reason is Reason.MODEL_ERROR
    assert isinstance(outcomes[2], Inspected)
    assert torch.equal(outcomes[0].anomaly.values, outcomes[2].anomaly.values)


def test_a_map_that_is_not_finite_never_passes(
    inspector: Inspector, passing: NDArray[np.uint8]
) -> None:
    (detector,) = inspector.recipe.bundle.detectors.values()
    with torch.no_grad():
        next(detector.student.parameters()).fill_(float("nan"))
    ((_, outcome),) = infer(frames_of([passing], []), {"nut": inspector})
    assert isinstance(outcome, Unseen)
    assert outcome.reason is Reason.MODEL_ERROR
    assert "not finite" in outcome.detail
