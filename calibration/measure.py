"""From good frames to a calibration record (thesis 4.7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from torch import Tensor

from models.adaptive import Asking, ask_level, tile_peaks
from models.bundle import Bundle
from models.calibration import (
    AskLevel,
    Calibration,
    RawMaps,
    ScaleRange,
    fuse,
)
from models.engine import Engine
from models.errors import InputError
from models.images import brightness, read_rgb, sharpness, to_tensor
from models.mode import Mode
from models.precision import Precision
from models.ranges import scale_range
from models.threshold import default_rate, rank, threshold


@dataclass(frozen=True)
class Choice:
    """What the process engineer decides beside what the engine looks at; the rest is measured."""

    alpha: float
    device: str
    precision: Precision
    false_reject_rate: float | None = None  # None: the lowest that the parts support
    ignore_mask: str | None = None  # SHA-256 of its file
    tile_share: float = 0.1  # of good parts' tiles, that mode adaptive may ask for

    def rate(self, parts: int) -> float:
        """Give the rate for so many parts; raises ``InputError`` if they cannot support it."""
        if self.false_reject_rate is None:
            return default_rate(parts)
        rank(parts, self.false_reject_rate)
        return self.false_reject_rate


def looks(engine: Engine, parts: int) -> int:
    """Give how many looks ``measure`` takes: two a part in mode adaptive, else one."""
    return 2 * parts if engine.mode is Mode.ADAPTIVE else parts


def measure(
    bundle: Bundle,
    engine: Engine,
    paths: Sequence[Path],
    choice: Choice,
    progress: Callable[[int], None],
) -> Calibration:
    """Run the good frames through the engine and make their calibration.

    In mode adaptive the engine, made without ``asks``, first computes all tiles: for their normal
    ranges, and for the level above which tiles are asked for. Then all frames take the very path
    that inspection takes, and it is by those scores that the threshold is set. Ignored cells count
    for nothing. Raises ``InputError`` for unreadable images, other sizes, or too few parts for the
    rate.
    """
    rate = choice.rate(len(paths))
    seen: list[dict[str, RawMaps]] = []
    light, focus = [], []
    for done, path in enumerate(paths, start=1):
        rgb = _read(path, bundle)
        seen.append(engine.look_at(rgb))
        light.append(brightness(rgb))
        focus.append(sharpness(rgb))
        progress(done)
    ranges: dict[str, ScaleRange] = {
        name: scale_range(name, [maps[name] for maps in seen]) for name in engine.mode.scales
    }
    ask = None
    if engine.mode is Mode.ADAPTIVE:
        ask = _ask(bundle, engine, [maps["whole"] for maps in seen], ranges["whole"], choice)
        asking = engine.asking(Asking(ranges["whole"], choice.alpha, ask.level))
        for done, path in enumerate(paths):
            seen[done] = asking.look_at(_read(path, bundle))
            progress(len(paths) + done + 1)
    scores = [fuse(maps, ranges, choice.alpha, bundle.weights).score for maps in seen]
    limit = threshold(scores, rate)
    return Calibration(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        bundle=bundle.sha256,
        engine=engine.fingerprint,
        device=choice.device,
        precision=choice.precision,
        alpha=choice.alpha,
        region_of_interest=engine.scope.region,
        mode=engine.mode,
        ignore_mask=choice.ignore_mask,
        tile_stride=engine.scope.tile_stride,
        ask=ask,
        scales=ranges,
        threshold=limit,
        pixel_threshold=limit,
        false_reject_rate=rate,
        parts=len(scores),
        scores=tuple(scores),
        brightness=float(np.mean(light)),
        sharpness=float(np.mean(focus)),
    )


def _read(path: Path, bundle: Bundle) -> Tensor:
    size = bundle.manifest.input
    rgb = to_tensor(read_rgb(path))
    if rgb.shape[-2:] != (size.height, size.width):
        raise InputError(
            f"{path}: {rgb.shape[-1]} x {rgb.shape[-2]} pixels, but the bundle inspects"
            f" {size.width} x {size.height}"
        )
    return rgb


def _ask(
    bundle: Bundle, engine: Engine, wholes: list[RawMaps], scale: ScaleRange, choice: Choice
) -> AskLevel:
    size = bundle.manifest.input
    layout = engine.scope.lay(*engine.scope.size(size.height, size.width))
    peaks = [
        tile_peaks(
            whole._replace(placement=layout.whole.placement),
            layout.base,
            layout.kept,
            scale,
            choice.alpha,
        )
        for whole in wholes
    ]
    return ask_level(peaks, choice.tile_share)
