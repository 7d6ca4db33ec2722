"""What held-out frames look like to a trained bundle; drift is told against it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.bundle import TrainingReference
from models.calibration import HIGH, LOW
from models.detector import Detector
from models.images import brightness, read_rgb, sharpness, to_tensor
from models.quantiles import quantile
from models.scope import Scope
from training.look import look

#: Where the held-out frames' maps are described.
PROBABILITIES = (0.5, LOW, 0.99, HIGH, 0.999, 1.0)


def training_reference(
    detectors: Mapping[str, Detector], held_out: Sequence[Path], scope: Scope
) -> TrainingReference:
    """Describe the held-out frames and their maps, within the scope."""
    local: dict[str, list[Tensor]] = {name: [] for name in detectors}
    globally: dict[str, list[Tensor]] = {name: [] for name in detectors}
    light, focus = [], []
    for path in held_out:
        rgb = to_tensor(read_rgb(path))
        light.append(brightness(rgb))
        focus.append(sharpness(rgb))
        for name, raw in look(detectors, rgb, scope).items():
            local[name].append(raw.local[raw.counted])
            globally[name].append(raw.globally[raw.counted])

    def describe(maps: dict[str, list[Tensor]]) -> dict[str, tuple[float, ...]]:
        return {
            name: tuple(quantile(torch.cat(values).numpy(), p) for p in PROBABILITIES)
            for name, values in maps.items()
        }

    return TrainingReference(
        frames=len(held_out),
        probabilities=PROBABILITIES,
        local=describe(local),
        globally=describe(globally),
        brightness=(float(np.mean(light)), float(np.std(light))),
        sharpness=(float(np.mean(focus)), float(np.std(focus))),
    )
