"""From a settled part to what is published of it: judged, numbered, with its maps."""

import time
from dataclasses import dataclass
from typing import Any, Literal

from daemon.inspection.judge import judge
from daemon.messages import Kind, Map, MapEncoding, Reason, Region, Verdict, View
from daemon.parts import Bypassed, Inspected, Settled, SettledView, Unseen
from daemon.wire import Payload, encode_map
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Origin:
    """What every verdict of a job says of where it comes from."""

    epoch: int
    job: str
    code: str  # version of effad


@dataclass(frozen=True)
class MapPlan:
    which: Literal["all", "fail", "none"]
    encoding: MapEncoding


def verdict_of(part: Settled, origin: Origin) -> Verdict:
    """Judge a settled part by its recipe, if there is one."""
    judging = part.judging
    recipe = judging.recipe if judging else None
    wall = time.time_ns() - time.monotonic_ns()
    views = tuple(_view(view, recipe, wall) for view in part.views)
    kind, reason = _part_kind(part, views, recipe)
    scores = [view.score for view in views if view.score is not None]
    return Verdict(
        epoch=origin.epoch,
        seq=part.number,
        station=part.station,
        part=part.part,
        trigger_source=part.source,
        verdict=kind,
        reason=reason,
        bypassed=any(isinstance(view.outcome, Bypassed) for view in part.views),
        score=_fused(scores, recipe) if scores and recipe else None,
        threshold=recipe.calibration.threshold if recipe else None,
        views=views,
        recipe=recipe.recipe.name if recipe else None,
        recipe_version=recipe.recipe.version if recipe else None,
        bundle=recipe.bundle.sha256 if recipe else None,
        calibration=recipe.calibration_sha256 if recipe else None,
        engine=_engine(part),
        code=origin.code,
        triggered_ns=part.triggered_ns + wall,
        published_ns=time.time_ns(),
        resultId=f"{origin.epoch}-{part.station}-{part.number}",
        jobId=origin.job,
        isPartial=part.partial,
    )


def _engine(part: Settled) -> str | None:
    """Name what the views were inspected by; of a part that nobody inspected, what should have."""
    looked = [view.outcome.engine for view in part.views if isinstance(view.outcome, Inspected)]
    if known := sorted({engine for engine in looked if engine is not None}):
        return " + ".join(known)
    return part.judging.engine if part.judging else None


def too_late(verdict: Verdict) -> Verdict:
    """Give the verdict that is sent instead of one that missed its deadline on its way out."""
    late = {
        "verdict": Kind.NO_VERDICT,
        "reason": Reason.LATE,
        "detail": "its verdict was ready too late to be sent",
        "score": None,
        "regions": (),
    }
    views = tuple(
        view if view.verdict is Kind.NO_VERDICT else view.model_copy(update=late)
        for view in verdict.views
    )
    return verdict.model_copy(
        update={
            "verdict": Kind.NO_VERDICT,
            "reason": Reason.LATE,
            "score": None,
            "views": views,
            "published_ns": time.time_ns(),
        }
    )


def _view(view: SettledView, recipe: LoadedRecipe | None, wall: int) -> View:
    outcome, seen = view.outcome, view.seen
    fields: dict[str, Any] = {
        "camera": view.camera,
        "trigger": view.trigger,
        "frame_id": view.frame_id,
        "device_ns": seen.device_ns if seen else None,
        "exposed_ns": seen.exposed_ns + wall if seen else None,
        "received_ns": seen.received_ns + wall if seen else None,
    }
    if isinstance(outcome, Bypassed):
        return View(**fields, verdict=Kind.PASS, detail="bypassed: nobody looked at it")
    if isinstance(outcome, Unseen):
        return View(**fields, verdict=Kind.NO_VERDICT, reason=outcome.reason, detail=outcome.detail)
    if recipe is None:
        raise ValueError(f"camera {view.camera}: a result of a station without a recipe")
    kind, found = judge(outcome.anomaly, recipe)
    return View(
        **fields,
        verdict=kind,
        score=outcome.anomaly.score,
        regions=_within(found, recipe),
        inferred_ns=outcome.ended_ns + wall,
    )


def _within(found: tuple[Region, ...], recipe: LoadedRecipe) -> tuple[Region, ...]:
    """Clip boxes to the frame: cells at its border stand for pixels beyond it."""
    size = recipe.bundle.manifest.input
    clipped = []
    for region in found:
        left, top = max(0.0, region.x), max(0.0, region.y)
        right = min(float(size.width), region.x + region.width)
        bottom = min(float(size.height), region.y + region.height)
        box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        clipped.append(region.model_copy(update=box))
    return tuple(clipped)


def _part_kind(
    part: Settled, views: tuple[View, ...], recipe: LoadedRecipe | None
) -> tuple[Kind, Reason | None]:
    """Fuse the views: without a look at each there is no verdict; else as the recipe says."""
    kinds = {view.verdict for view in views}
    mean = recipe is not None and recipe.recipe.view_fusion == "mean"
    if part.partial:
        return (Kind.FAIL if Kind.FAIL in kinds and not mean else Kind.NO_VERDICT), None
    if Kind.NO_VERDICT in kinds:
        return Kind.NO_VERDICT, next(v.reason for v in views if v.reason is not None)
    if mean and recipe is not None and len(views) > 1:
        scores = [view.score for view in views if view.score is not None]
        fails = bool(scores) and _fused(scores, recipe) >= recipe.calibration.threshold
        return (Kind.FAIL if fails else Kind.PASS), None
    return (Kind.FAIL if Kind.FAIL in kinds else Kind.PASS), None


def _fused(scores: list[float], recipe: LoadedRecipe) -> float:
    return sum(scores) / len(scores) if recipe.recipe.view_fusion == "mean" else max(scores)


def maps_of(part: Settled, verdict: Verdict, plan: MapPlan) -> list[tuple[Map, Payload]]:
    """Give the maps that follow a verdict."""
    if part.judging is None or plan.which == "none":
        return []
    if plan.which == "fail" and verdict.verdict is not Kind.FAIL:
        return []
    size = part.judging.recipe.bundle.manifest.input
    return [
        encode_map(
            view.outcome.anomaly.values.numpy(),
            verdict,
            view.camera,
            view.outcome.anomaly.placement,
            (size.width, size.height),
            plan.encoding,
        )
        for view in part.views
        if isinstance(view.outcome, Inspected)
    ]
