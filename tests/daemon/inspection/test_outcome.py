"""From settled parts to verdicts and maps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from daemon.claims import Claim, Seen
from daemon.frames import Frame, Lease
from daemon.inspection.infer import Inspector
from daemon.inspection.judging import Judging
from daemon.inspection.outcome import MapPlan, Origin, maps_of, too_late, verdict_of
from daemon.messages import Kind, MapEncoding, Part, Reason, TriggerSource, Verdict
from daemon.parts import Bypassed, Inspected, Outcome, Settled, SettledView, Unseen
from models import recipe as recipes
from models.calibration import AnomalyMap
from models.engine import Engine
from models.geometry import Placement, Whole
from models.pixel_format import PixelFormat
from models.recipe import LoadedRecipe

ORIGIN = Origin(epoch=7, job="job", code="0")


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Path) -> LoadedRecipe:
    return recipes.load(tiny_recipe)


def inspected(value: float, placement: Placement | None = None) -> Inspected:
    placement = placement or Whole(128, 128).placement
    values = torch.zeros(placement.cells)
    values[0, 0] = value
    frame = Frame(
        Claim("nut", 5, "cam0"),
        np.zeros((4, 4), np.uint8),
        PixelFormat.MONO8,
        Lease(lambda: None),
    )
    return Inspected(AnomalyMap(values, placement), frame, 3, 4)


def part(*views: Outcome, partial: bool = False) -> Settled:
    return Settled(
        station="nut",
        number=5,
        part=Part(id="P5"),
        source=TriggerSource.HARDWARE,
        triggered_ns=1,
        deadline=float("inf"),
        views=tuple(
            SettledView(f"cam{n}", 40 + n, n, Seen(40 + n, n, None, 1, 2), outcome)
            for n, outcome in enumerate(views)
        ),
        partial=partial,
    )


def by(recipe: LoadedRecipe | None, settled: Settled) -> Settled:
    if recipe is None:
        return settled
    inspector = Inspector(Engine(recipe.bundle), recipe)
    return replace(settled, judging=Judging(recipe, (inspector,)))


def judged(recipe: LoadedRecipe | None, settled: Settled) -> Verdict:
    return verdict_of(by(recipe, settled), ORIGIN)


def averaging(recipe: LoadedRecipe) -> LoadedRecipe:
    mean = recipe.recipe.model_copy(update={"view_fusion": "mean"})
    return replace(recipe, recipe=mean)


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
    verdict = judged(recipe, part(*views))
    assert verdict.verdict is kind
    assert (verdict.reason is Reason.FRAME_LOST) == (GONE in views)
    assert [view.trigger for view in verdict.views] == [40 + n for n in range(len(views))]


def test_a_verdict_says_where_it_comes_from(recipe: LoadedRecipe) -> None:
    verdict = judged(recipe, part(FAIL))
    assert (verdict.epoch, verdict.seq, verdict.part.id) == (7, 5, "P5")
    assert (verdict.jobId, verdict.resultId) == ("job", "7-nut-5")
    assert verdict.bundle == recipe.bundle.sha256
    assert verdict.calibration == recipe.calibration_sha256
    assert verdict.score == pytest.approx(9)


def test_a_verdict_names_the_engine_that_looked(recipe: LoadedRecipe) -> None:
    one, other = (replace(inspected(0), engine=f"torch/{n}-tiles") for n in (8, 16))
    assert judged(recipe, part(one, one)).engine == "torch/8-tiles"
    assert judged(recipe, part(one, other)).engine == "torch/16-tiles + torch/8-tiles"
    should_have = judged(recipe, part(Unseen(Reason.LATE, "late"))).engine
    assert should_have == Engine(recipe.bundle).fingerprint


def test_regions_end_with_the_frame(recipe: LoadedRecipe) -> None:
    placement = Placement((0.0, 0.0), (4.0, 4.0), (33, 33))  # reaches over each border
    (region,) = judged(recipe, part(inspected(9.0, placement))).views[0].regions
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
    plan = MapPlan(which, MapEncoding(encoding))  # type: ignore[arg-type]
    settled = part(view)
    maps = maps_of(by(recipe, settled), judged(recipe, settled), plan)
    assert len(maps) == sent
    for header, _ in maps:
        assert (header.seq, header.camera) == (5, "cam0")
        assert header.encoding == encoding
        assert header.frame == (128, 128)


def test_the_mean_of_views_may_decide(recipe: LoadedRecipe) -> None:
    threshold = recipe.calibration.threshold
    high, low = inspected(1.5 * threshold), inspected(0.0)
    assert judged(recipe, part(high, low)).verdict is Kind.FAIL
    fused = judged(averaging(recipe), part(high, low))
    assert fused.verdict is Kind.PASS
    assert fused.score == pytest.approx(0.75 * threshold, rel=1e-3)
    assert judged(averaging(recipe), part(high, high)).verdict is Kind.FAIL
    assert judged(averaging(recipe), part(high, GONE)).verdict is Kind.NO_VERDICT


def test_a_partial_result_never_passes(recipe: LoadedRecipe) -> None:
    for views, kind in (((PASS,), Kind.NO_VERDICT), ((PASS, FAIL), Kind.FAIL)):
        partial = judged(recipe, part(*views, partial=True))
        assert (partial.isPartial, partial.verdict, partial.reason) == (True, kind, None)


def test_bypassed_parts_pass_and_say_so(recipe: LoadedRecipe) -> None:
    verdict = judged(recipe, part(Bypassed(), Bypassed()))
    assert (verdict.verdict, verdict.bypassed, verdict.score) == (Kind.PASS, True, None)
    assert judged(recipe, part(PASS)).bypassed is False


def test_a_station_without_a_recipe_says_so() -> None:
    verdict = judged(None, part(Unseen(Reason.NO_RECIPE, "the station has no recipe")))
    assert (verdict.verdict, verdict.reason) == (Kind.NO_VERDICT, Reason.NO_RECIPE)
    assert (verdict.recipe, verdict.bundle, verdict.threshold) == (None, None, None)


def test_what_missed_its_deadline_is_not_told(recipe: LoadedRecipe) -> None:
    late = too_late(judged(recipe, part(PASS, FAIL)))
    assert (late.verdict, late.reason, late.score) == (Kind.NO_VERDICT, Reason.LATE, None)
    assert all(v.reason is Reason.LATE and v.score is None and not v.regions for v in late.views)
