"""From good frames to a calibration record (thesis 4.7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.bundle import Bundle
from models.calibration import HIGH, LOW, Calibration, NormalRange, RawMaps, ScaleRange, fuse
from models.engine import Engine
from models.errors import InputError
from models.geometry import Box
from models.images import brightness, read_rgb, sharpness, to_tensor
from models.precision import Precision
from models.quantiles import quantile
from models.threshold import default_rate, rank, threshold


@dataclass(frozen=True)
class Choice:
    """What the process engineer decides; the rest is measured."""

    alpha: float
    device: str
    precision: Precision
    false_reject_rate: float | None = None  # None: the lowest that the parts support
    region: Box | None = None  # of interest

    def rate(self, parts: int) -> float:
        """Give the rate for so many parts; raises ``InputError`` if they cannot support it."""
        if self.false_reject_rate is None:
            return default_rate(parts)
        rank(parts, self.false_reject_rate)
        return self.false_reject_rate


def measure(
    bundle: Bundle,
    engine: Engine,
    paths: Sequence[Path],
    choice: Choice,
    progress: Callable[[int], None],
) -> Calibration:
    """Run the good frames through the engine and make their calibration.

    Raises ``InputError`` for unreadable images, other sizes, or too few parts for the rate.
    """
    size = bundle.manifest.input
    rate = choice.rate(len(paths))
    seen: list[dict[str, RawMaps]] = []
    light, focus = [], []
    for done, path in enumerate(paths, start=1):
        rgb = to_tensor(read_rgb(path))
        if rgb.shape[-2:] != (size.height, size.width):
            raise InputError(
                f"{path}: {rgb.shape[-1]} x {rgb.shape[-2]} pixels, but the bundle inspects"
                f" {size.width} x {size.height}"
            )
        seen.append(engine.look_at(rgb))
        light.append(brightness(rgb))
        focus.append(sharpness(rgb))
        progress(done)
    ranges = {
        name: ScaleRange(
            local=_range(name, [maps[name].local for maps in seen]),
            globally=_range(name, [maps[name].globally for maps in seen]),
        )
        for name in bundle.detectors
    }
    scores = [fuse(maps, ranges, choice.alpha, bundle.weights).score for maps in seen]
    limit = threshold(scores, rate)
    return Calibration(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        bundle=bundle.sha256,
        engine=engine.fingerprint,
        device=choice.device,
        precision=choice.precision,
        alpha=choice.alpha,
        region_of_interest=choice.region,
        scales=ranges,
        threshold=limit,
        pixel_threshold=limit,
        false_reject_rate=rate,
        parts=len(scores),
        scores=tuple(scores),
        brightness=float(np.mean(light)),
        sharpness=float(np.mean(focus)),
    )


def _range(scale: str, maps: list[Tensor]) -> NormalRange:
    cells = torch.stack(maps).numpy()
    q_a, q_b = quantile(cells, LOW), quantile(cells, HIGH)
    if not q_b > q_a:
        raise InputError(
            f"scale {scale}: the good frames look the same everywhere (quantiles {q_a:.4g} and"
            f" {q_b:.4g}); show good parts, neither black nor overexposed"
        )
    return NormalRange(q_a=q_a, q_b=q_b)
