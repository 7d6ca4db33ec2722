"""The worker answers every frame, whatever the model does."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.claims import Claim
from daemon.frames import Frame, Lease
from daemon.inspection.infer import Inspector, infer
from daemon.inspection.judging import Judging
from daemon.messages import Reason
from daemon.parts import Inspected, Unseen
from models import recipe as recipes
from models.calibration import RawMaps
from models.engine import Engine
from models.pixel_format import PixelFormat
from models.pixels import RawFrame


@pytest.fixture
def inspector(tiny_recipe: Path) -> Inspector:
    loaded = recipes.load(tiny_recipe)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision)
    return Inspector(engine, loaded)


def frames_of(
    pixels: list[NDArray[np.uint8]],
    given_back: list[int],
    inspector: Inspector | None,
    due: float = float("inf"),
) -> list[Frame]:
    judging = Judging(inspector.recipe, (inspector,)) if inspector else None
    return [
        Frame(
            Claim("nut", number, "c", due, judging),
            image,
            PixelFormat.RGB8,
            Lease(lambda n=number: given_back.append(n)),  # type: ignore[misc]
        )
        for number, image in enumerate(pixels, start=1)
    ]


def waits(claim: Claim) -> bool:
    return True


def test_a_frame_that_the_model_fails_on_is_no_verdict_and_no_end(
    inspector: Inspector, passing: NDArray[np.uint8]
) -> None:
    given_back: list[int] = []
    flat = passing[:, :, 0]  # not what its format says
    found = list(infer(frames_of([passing, flat, passing], given_back, inspector), 0, waits))
    outcomes = [outcome for _, outcome in found]
    assert [claim.number for claim, _ in found] == [1, 2, 3]
    assert given_back == [2], "a result holds its frame, a failure does not"
    assert isinstance(outcomes[0], Inspected)
    assert isinstance(outcomes[1], Unseen)
    assert outcomes[1].reason is Reason.MODEL_ERROR
    assert isinstance(outcomes[2], Inspected)
    assert torch.equal(outcomes[0].anomaly.values, outcomes[2].anomaly.values)


def test_a_map_that_is_not_finite_never_passes(
    inspector: Inspector, passing: NDArray[np.uint8]
) -> None:
    bundle = inspector.recipe.bundle
    with torch.no_grad():
        for networks in (*bundle.detectors.values(), *bundle.reduced.values()):
            next(networks.parameters()).fill_(float("nan"))
    ((_, outcome),) = infer(frames_of([passing], [], inspector), 0, waits)
    assert isinstance(outcome, Unseen)
    assert outcome.reason is Reason.MODEL_ERROR
    assert "not finite" in outcome.detail


class Shrinking(Engine):
    """Its memory runs out at the second frame."""

    def look(self, frame: RawFrame, pixel_format: PixelFormat) -> dict[str, RawMaps]:
        self._at_once = 8 if self._at_once == 1 else 4
        return super().look(frame, pixel_format)


def test_an_engine_whose_passes_get_smaller_is_told(
    inspector: Inspector, passing: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    shrinking = Inspector(Shrinking(inspector.recipe.bundle), inspector.recipe)
    found = [outcome for _, outcome in infer(frames_of([passing] * 2, [], shrinking), 0, waits)]
    engines = [one.engine for one in found if isinstance(one, Inspected)]
    assert [str(name).rsplit("/", 1)[1] for name in engines] == ["8-tiles", "4-tiles"]
    assert capsys.readouterr().out.count("fewer tiles a pass") == 2


def test_what_cannot_be_in_time_is_not_begun(
    inspector: Inspector, passing: NDArray[np.uint8]
) -> None:
    given_back: list[int] = []
    for _ in range(4):
        inspector.pace.took(10.0, time.monotonic())
    soon = time.monotonic() + 5
    ((_, outcome),) = infer(frames_of([passing], given_back, inspector, soon), 0, waits)
    assert isinstance(outcome, Unseen)
    assert outcome.reason is Reason.LATE
    assert "not begun" in outcome.detail
    assert given_back == [1]


def test_what_nobody_waits_for_is_not_inspected(
    inspector: Inspector, passing: NDArray[np.uint8]
) -> None:
    given_back: list[int] = []
    ((_, outcome),) = infer(frames_of([passing], given_back, inspector), 0, lambda claim: False)
    assert outcome == Unseen(Reason.LATE, "resolved while it waited")
    assert given_back == [1]


def test_a_station_without_a_recipe_has_no_verdict(passing: NDArray[np.uint8]) -> None:
    given_back: list[int] = []
    ((_, outcome),) = infer(frames_of([passing], given_back, None), 0, waits)
    assert outcome == Unseen(Reason.NO_RECIPE, "the station has no recipe")
    assert given_back == [1]
