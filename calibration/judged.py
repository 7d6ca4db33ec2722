"""Frames as the daemon would judge them by a recipe."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from calibration.shown import Shown
from daemon.inspection.inspectors import device_of
from daemon.inspection.judge import judge
from daemon.messages import Kind
from models.engine import Engine
from models.errors import InputError
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Judged:
    """A frame's score and verdict, and how high its maps are."""

    name: str
    part: str
    kind: Kind  # PASS or FAIL
    score: float
    peaks: dict[str, float]  # largest raw value of each map, such as "whole local"


def engine_of(recipe: LoadedRecipe, threads: int | None = None) -> Engine:
    """Give the engine of a recipe as a daemon's only worker has it, held against its bundle.

    Raises ``InputError`` if its device is missing, or it differs by more than its tolerance.
    """
    cores = len(os.sched_getaffinity(0))
    engine = recipe.engine(device_of("auto", recipe), threads or max(1, cores - 1))
    engine.verify()
    return engine


def judged(frames: Iterable[Shown], recipe: LoadedRecipe, engine: Engine) -> Iterator[Judged]:
    """Judge frame by frame; raises ``InputError`` for a frame of another size."""
    size = recipe.bundle.manifest.input
    for shown in frames:
        height, width = shown.pixels.shape[:2]
        if (height, width) != (size.height, size.width):
            raise InputError(
                f"{shown.path or shown.name}: {width} x {height} pixels, but the recipe inspects"
                f" {size.width} x {size.height}"
            )
        maps = engine.look(shown.pixels, shown.pixel_format)
        anomaly = recipe.fuse(maps)
        kind, _ = judge(anomaly, recipe)
        peaks: dict[str, float] = {}
        for name, raw in maps.items():
            counted = raw.counted
            peaks[f"{name} local"] = float(raw.local[counted].max())
            peaks[f"{name} global"] = float(raw.globally[counted].max())
        yield Judged(shown.name, shown.part, kind, anomaly.score, peaks)


@dataclass(frozen=True)
class JudgedPart:
    """A trigger of a station: its views together, fused as the recipe says."""

    name: str
    kind: Kind
    score: float
    peaks: dict[str, float]  # largest over its views


def by_part(frames: Iterable[Judged], recipe: LoadedRecipe) -> Iterator[JudgedPart]:
    """Put frames of one part together that follow each other."""
    for part, views in groupby(frames, key=lambda one: one.part):
        yield _together(part, list(views), recipe)


def _together(part: str, views: list[Judged], recipe: LoadedRecipe) -> JudgedPart:
    scores = [view.score for view in views]
    score, fails = max(scores), any(view.kind is Kind.FAIL for view in views)
    if recipe.recipe.view_fusion == "mean":
        score = sum(scores) / len(scores)
        fails = score >= recipe.calibration.threshold
    names = sorted({view.name for view in views})
    return JudgedPart(
        name=names[0] if len(names) == 1 else part,
        kind=Kind.FAIL if fails else Kind.PASS,
        score=score,
        peaks={key: max(view.peaks[key] for view in views) for key in views[0].peaks},
    )
