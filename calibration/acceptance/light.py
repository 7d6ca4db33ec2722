"""Brightness, contrast and sharpness of the new good frames against training's."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from calibration.acceptance.answer import Answer, Check
from calibration.acceptance.limits import CHANCE, LEAST, SHIFT
from calibration.looked import FrameLook
from models.bundle import TrainingReference


def light_checks(frames: Sequence[FrameLook], reference: TrainingReference) -> list[Check]:
    """Hold the frames' mean light against the reference's mean and deviation."""
    found = {
        "brightness": [frame.brightness for frame in frames],
        "contrast": [frame.contrast for frame in frames],
        "sharpness": [frame.sharpness for frame in frames],
    }
    normal = {
        "brightness": reference.brightness,
        "contrast": reference.contrast,
        "sharpness": reference.sharpness,
    }
    return [_check(name, found[name], normal[name], reference.frames) for name in found]


def allowed_shift(deviation: float, shown: int, frames: int, least: float) -> float:
    """Give how far a mean of frames shown may be from the mean of the reference's frames.

    The largest of what matters and of what is chance: Student's t of the difference of two means,
    with the deviation that the reference's frames have (population, of ``frames`` values). Infinite
    for a reference of one frame, which has none.
    """
    if frames < 2:
        return math.inf
    spread = deviation * math.sqrt(frames / (frames - 1))
    times = float(stats.t.ppf(1 - CHANCE / 2, frames - 1))
    chance = times * spread * math.sqrt(1 / shown + 1 / frames)
    return max(SHIFT * spread, chance, least)


def _check(name: str, values: Sequence[float], normal: tuple[float, float], frames: int) -> Check:
    mean, deviation = normal
    value = float(np.mean(values))
    allowed = allowed_shift(deviation, len(values), frames, LEAST[name] * mean)
    ok = abs(value - mean) <= allowed
    if math.isinf(allowed):
        limit = "none: the reference is of one frame"
    else:
        limit = f"{max(mean - allowed, 0):.4g} to {mean + allowed:.4g}"
    return Check(
        name=name,
        value=value,
        reference=mean,
        limit=limit,
        ok=ok,
        fails=None if ok else Answer.LIGHTING_CHANGED,
        says="" if ok else _says(name, value, mean),
    )


def _says(name: str, value: float, mean: float) -> str:
    side = "above" if value > mean else "below"
    change = f"{abs(value / mean - 1):.0%} {side}" if mean else "not"
    look = {
        "brightness": "light, exposure or gain",
        "contrast": "light, exposure or gain",
        "sharpness": "focus, or the surface",
    }[name]
    return f"{name} is {change} training's: look at {look}"
