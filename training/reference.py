"""What held-out frames look like to a trained bundle; drift is told against it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.bundle import TrainingReference
from models.calibration import HIGH, LOW, NormalRange, ScaleRange
from models.detector import Detector
from models.images import appearance, read_rgb, to_tensor
from models.quantiles import quantile
from models.ranges import normal_range
from models.scope import Scope
from training.look import look
from training.separation import separation

#: Where the held-out frames' maps are described.
PROBABILITIES = (0.5, LOW, 0.99, HIGH, 0.999, 1.0)
ALPHA = 0.5  # weight of the local map in the frames' scores


def training_reference(
    detectors: Mapping[str, Detector], held_out: Sequence[Path], scope: Scope
) -> TrainingReference:
    """Describe the held-out frames and their maps, within the scope."""
    local: dict[str, list[Tensor]] = {name: [] for name in detectors}
    globally: dict[str, list[Tensor]] = {name: [] for name in detectors}
    light, spread, focus = [], [], []
    for path in held_out:
        rgb = to_tensor(read_rgb(path))
        seen = appearance(rgb)
        light.append(seen.brightness)
        spread.append(seen.contrast)
        focus.append(seen.sharpness)
        for name, raw in look(detectors, rgb, scope).items():
            local[name].append(raw.local[raw.counted])
            globally[name].append(raw.globally[raw.counted])

    def describe(maps: dict[str, list[Tensor]]) -> dict[str, tuple[float, ...]]:
        return {
            name: tuple(quantile(torch.cat(values).numpy(), p) for p in PROBABILITIES)
            for name, values in maps.items()
        }

    ranges = {
        name: ScaleRange(local=_range(name, local[name]), globally=_range(name, globally[name]))
        for name in detectors
    }
    return TrainingReference(
        frames=len(held_out),
        probabilities=PROBABILITIES,
        local=describe(local),
        globally=describe(globally),
        brightness=(float(np.mean(light)), float(np.std(light))),
        contrast=(float(np.mean(spread)), float(np.std(spread))),
        sharpness=(float(np.mean(focus)), float(np.std(focus))),
        scores={n: _scores(ranges[n], local[n], globally[n]) for n in detectors},
        separation=separation(detectors, held_out, scope, ranges, ALPHA),
    )


def _scores(
    ranges: ScaleRange, local: Sequence[Tensor], globally: Sequence[Tensor]
) -> tuple[float, ...]:
    """Give each frame's score, ascending; maps: counted cells."""
    fused = [
        ALPHA * ranges.local.normalize(a) + (1 - ALPHA) * ranges.globally.normalize(b)
        for a, b in zip(local, globally, strict=True)
    ]
    return tuple(sorted(float(values.max()) for values in fused))


def _range(scale: str, maps: Sequence[Tensor]) -> NormalRange:
    values = torch.cat(list(maps)).cpu().numpy()
    return normal_range(scale, quantile(values, LOW), quantile(values, HIGH))
