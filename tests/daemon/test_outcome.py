"""From settled parts to verdicts and maps."""

from pathlib import Path

import pytest
import torch

from daemon.claims import Inspected, Settled, SettledView, Unseen
from daemon.messages import Kind, Map, MapEncoding, Part, Reason, TriggerSource
from daemon.outcome import MapPlan, Origin, Ready, outcomes
from models import recipe as recipes
from models.calibration import AnomalyMap
from models.geometry import Placement, Whole
from models.recipe import LoadedRecipe

ORIGIN = Origin(epoch=7, job="job", code="0", engines={"nut": "engine"})


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Path) -> LoadedRecipe:
    return recipes.load(tiny_recipe)


def inspected(value: float, placement: Placement | None = None) -> Inspected:
    placement = placement or Whole(128, 128).placement
    values = torch.zeros(placement.cells)
    values[0, 0] = value
    return Inspected(AnomalyMap(values, placement), 3)


def part(*views: Inspected | Unseen) -> Settled:
    return Settled(
        station="nut",
        number=5,
        part=Part(id="P5"),
        source=TriggerSource.HARDWARE,
        triggered_ns=1,
        views=tuple(
            SettledView(f"cam{n}", 40 + n, n, None, 1, 2, outcome)
            for n, outcome in enumerate(views)
        ),
    )


def judged(
    recipe: LoadedRecipe, settled: Settled, which: str = "all", encoding: str = "raw"
) -> Ready:
    plan = MapPlan(which, MapEncoding(encoding))  # type: ignore[arg-type]
    (ready,) = outcomes([settled], {"nut": recipe}, ORIGIN, plan)
    return ready


GONE = Unseen(Reason.FRAME_LOST, "skipped")
PASS, FAIL = inspected(0.0), inspected(9.0)


@pytest.mark.parametrize(
    ("views", "kind"),
    [
        ((PASS,), Kind.PASS),
        ((FAIL,), Kind.FAIL),
        ((GONE,), Kind.NO_VERDICT),
        ((PASS, PASS), Kind.PASS),
        ((PASS, FAIL), Kind.FAIL),
        ((PASS, GONE), Kind.NO_VERDICT),
        ((FAIL, GONE), Kind.NO_VERDICT),
    ],
)
def test_every_view_must_have_been_seen_and_passed(
    views: tuple[Inspected | Unseen, ...], kind: Kind, recipe: LoadedRecipe
) -> None:
    verdict = judged(recipe, part(*views)).verdict
    assert verdict.verdict is kind
    assert (verdict.reason is Reason.FRAME_LOST) == (GONE in views)
    assert [view.trigger for view in verdict.views] == [40 + n for n in range(len(views))]


def test_a_verdict_says_where_it_comes_from(recipe: LoadedRecipe) -> None:
    verdict = judged(recipe, part(FAIL)).verdict
    assert (verdict.epoch, verdict.seq, verdict.part.id) == (7, 5, "P5")
    assert (verdict.engine, verdict.jobId, verdict.resultId) == ("engine", "job", "7-nut-5")
    assert verdict.bundle == recipe.bundle.sha256
    assert verdict.calibration == recipe.calibration_sha256
    assert verdict.score == pytest.approx(9)


def test_regions_end_with_the_frame(recipe: LoadedRecipe) -> None:
    placement = Placement((0.0, 0.0), (4.0, 4.0), (33, 33))  # reaches over each border
    (region,) = judged(recipe, part(inspected(9.0, placement))).verdict.views[0].regions
    assert (region.x, region.y, region.width, region.height) == (0, 0, 2, 2)
    assert region.peak_at == (0, 0)


@pytest.mark.parametrize(
    ("which", "view", "sent"),
    [("all", PASS, 1), ("all", FAIL, 1), ("fail", PASS, 0), ("fail", FAIL, 1), ("none", FAIL, 0)],
)
@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_which_maps_follow(
    which: str, view: Inspected, sent: int, encoding: str, recipe: LoadedRecipe
) -> None:
    ready = judged(recipe, part(view), which, encoding)
    assert len(ready.maps) == sent
    for outgoing in ready.maps:
        assert isinstance(outgoing.message, Map)
        assert (outgoing.message.seq, outgoing.message.camera) == (5, "cam0")
        assert outgoing.message.encoding == encoding
        assert outgoing.message.frame == (128, 128)
