"""From a settled part to what is published of it: judged, numbered, with its maps."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from daemon.claims import Inspected, Settled, SettledView
from daemon.judge import judge
from daemon.messages import Kind, MapEncoding, Region, Verdict, View
from daemon.publisher import Outgoing
from daemon.wire import encode_map
from models.calibration import AnomalyMap
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Origin:
    """What every verdict of a job says of where it comes from."""

    epoch: int
    job: str
    code: str  # version of effad
    engines: Mapping[str, str]  # fingerprint of each station's engine


@dataclass(frozen=True)
class MapPlan:
    which: Literal["all", "fail", "none"]
    encoding: MapEncoding


@dataclass(frozen=True)
class Ready:
    """A verdict with the maps that follow it."""

    verdict: Verdict
    maps: tuple[Outgoing, ...]


def outcomes(
    parts: Iterable[Settled],
    recipes: Mapping[str, LoadedRecipe],
    origin: Origin,
    maps: MapPlan,
) -> Iterator[Ready]:
    """Judge each part as it settles."""
    for part in parts:
        recipe = recipes[part.station]
        views = tuple(_view(view, recipe) for view in part.views)
        verdict = _verdict(part, views, recipe, origin)
        wanted = maps.which == "all" or (maps.which == "fail" and verdict.verdict is Kind.FAIL)
        followers = tuple(
            _map(verdict, view.camera, view.outcome.anomaly, recipe, maps)
            for view in part.views
            if wanted and isinstance(view.outcome, Inspected)
        )
        yield Ready(verdict, followers)


def _view(view: SettledView, recipe: LoadedRecipe) -> View:
    outcome = view.outcome
    known = View(
        camera=view.camera,
        trigger=view.trigger,
        frame_id=view.frame_id,
        device_ns=view.device_ns,
        exposed_ns=view.exposed_ns,
        received_ns=view.received_ns,
        verdict=Kind.NO_VERDICT,
    )
    if not isinstance(outcome, Inspected):
        return known.model_copy(update={"reason": outcome.reason, "detail": outcome.detail})
    kind, found = judge(outcome.anomaly, recipe)
    return known.model_copy(
        update={
            "verdict": kind,
            "score": outcome.anomaly.score,
            "regions": _within(found, recipe),
            "inferred_ns": outcome.inferred_ns,
        }
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


def _verdict(
    part: Settled, views: tuple[View, ...], recipe: LoadedRecipe, origin: Origin
) -> Verdict:
    """Fuse the views: without a look at each there is no verdict; else one FAIL fails the part."""
    kinds = {view.verdict for view in views}
    kind = next(k for k in (Kind.NO_VERDICT, Kind.FAIL, Kind.PASS) if k in kinds)
    scores = [view.score for view in views if view.score is not None]
    return Verdict(
        epoch=origin.epoch,
        seq=part.number,
        station=part.station,
        part=part.part,
        trigger_source=part.source,
        verdict=kind,
        reason=next((v.reason for v in views if v.reason is not None), None),
        score=max(scores, default=None),
        threshold=recipe.calibration.threshold,
        views=views,
        recipe=recipe.recipe.name,
        recipe_version=recipe.recipe.version,
        bundle=recipe.bundle.sha256,
        calibration=recipe.calibration_sha256,
        engine=origin.engines[part.station],
        code=origin.code,
        triggered_ns=part.triggered_ns,
        published_ns=time.time_ns(),
        resultId=f"{origin.epoch}-{part.station}-{part.number}",
        jobId=origin.job,
    )


def _map(
    verdict: Verdict, camera: str, anomaly: AnomalyMap, recipe: LoadedRecipe, plan: MapPlan
) -> Outgoing:
    size = recipe.bundle.manifest.input
    header, payload = encode_map(
        anomaly.values.numpy(),
        verdict,
        camera,
        anomaly.placement,
        (size.width, size.height),
        plan.encoding,
    )
    return Outgoing(header, payload)
