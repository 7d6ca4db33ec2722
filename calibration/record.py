"""From the scores of good frames to the calibration record; for another alpha without frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np

from calibration.fusing import Fused
from calibration.labelled import Prices
from calibration.looker import Seen
from calibration.tail import check_enough
from calibration.thresholds import threshold_for
from models.backend import Backend
from models.bundle import Bundle
from models.calibration import AskLevel, Calibration, KeptScores, ScaleRange
from models.drift import DriftReference
from models.engine import Engine
from models.errors import InputError
from models.precision import Precision
from models.threshold import Method, Threshold, rank, threshold


@dataclass(frozen=True)
class Choice:
    """What the process engineer decides beside what the engine looks at; the rest is measured."""

    alpha: float
    device: str
    precision: Precision
    backend: Backend = Backend.TORCH
    false_reject_rate: float | None = None  # None: the lowest that the parts support
    ignore_mask: str | None = None  # ``models.polygons.mask_sha256`` of what is not inspected
    tile_share: float = 0.1  # of good parts' tiles, that mode adaptive may ask for
    method: Method = Method.CONFORMAL
    prices: Prices | None = None  # of method cost

    def check(self, parts: int) -> None:
        """Raise ``InputError`` if so few parts, or fewer, cannot support the rate."""
        if self.false_reject_rate is None:
            return
        if self.method is Method.TAIL:
            check_enough(parts, self.false_reject_rate)
        elif self.method in (Method.CONFORMAL, Method.RECALL):
            rank(parts, self.false_reject_rate)

    def threshold(self, scores: Sequence[float], defects: Sequence[float] = ()) -> Threshold:
        """Make the threshold of parts; raises ``InputError``."""
        return threshold_for(
            scores, self.false_reject_rate, self.method, defects=defects, prices=self.prices
        )


def record(
    bundle: Bundle,
    engine: Engine,
    choice: Choice,
    frames: Sequence[tuple[Seen, Fused]],
    ranges: Mapping[str, ScaleRange],
    ask: AskLevel | None,
    alphas: tuple[float, ...],
    defects: Sequence[float],
) -> Calibration:
    """Make the record. Frames are sorted by digest; defects: a score a part.

    Raises ``InputError`` for scores that no threshold can be made of.
    """
    seen = [one for one, _ in frames]
    order = {part: place for place, part in enumerate(dict.fromkeys(s.part for s in seen))}
    kept = KeptScores(
        parts=tuple(order[one.part] for one in seen),
        alphas=alphas,
        scores=tuple(zip(*(fused.scores for _, fused in frames), strict=True)),
        levels=tuple(zip(*(fused.levels for _, fused in frames), strict=True)),
    )
    limits = _limits(kept, choice, defects)
    return Calibration(
        bundle=bundle.sha256,
        engine=engine.fingerprint,
        device=choice.device,
        precision=choice.precision,
        backend=choice.backend,
        alpha=choice.alpha,
        region_of_interest=engine.scope.region,
        mode=engine.mode,
        ignore_mask=choice.ignore_mask,
        tile_stride=engine.scope.tile_stride,
        ask=ask,
        scales=dict(ranges),
        threshold=limits.made.value,
        pixel_threshold=limits.pixel,
        false_reject_rate=limits.made.rate,
        made=limits.made,
        parts=len(order),
        frames=len(seen),
        scores=limits.scores,
        kept=kept,
        brightness=_mean([one.appearance.brightness for one in seen]),
        contrast=_mean([one.appearance.contrast for one in seen]),
        sharpness=_mean([one.appearance.sharpness for one in seen]),
        drift=DriftReference(
            score=kept.scores[alphas.index(choice.alpha)],
            local=tuple(one.local for one in seen),
            brightness=tuple(one.light.brightness for one in seen),
            sharpness=tuple(one.light.sharpness for one in seen),
        ),
    )


def with_alpha(old: Calibration, choice: Choice) -> Calibration:
    """Give the calibration for another alpha, from the scores that were kept.

    It is what the same frames would give again. Raises ``InputError`` if they do not suffice.
    """
    if choice.alpha not in old.kept.alphas:
        known = ", ".join(f"{alpha:g}" for alpha in old.kept.alphas)
        asking = "; mode adaptive asks for tiles by alpha" if old.ask is not None else ""
        raise InputError(
            f"alpha = {choice.alpha:g}: scores are kept for {known} alone{asking}; show good parts"
            " again with --images, --daemon or --camera"
        )
    limits = _limits(old.kept, choice, ())
    place = old.kept.alphas.index(choice.alpha)
    return old.model_copy(
        update={
            "alpha": choice.alpha,
            "threshold": limits.made.value,
            "pixel_threshold": limits.pixel,
            "false_reject_rate": limits.made.rate,
            "made": limits.made,
            "scores": limits.scores,
            "drift": old.drift.model_copy(update={"score": old.kept.scores[place]}),
        }
    )


@dataclass(frozen=True)
class _Limits:
    made: Threshold
    pixel: float
    scores: tuple[float, ...]  # of the parts


def _limits(kept: KeptScores, choice: Choice, defects: Sequence[float]) -> _Limits:
    place = kept.alphas.index(choice.alpha)
    scores = by_part(kept.parts, kept.scores[place])
    made = choice.threshold(scores, defects)
    levels = by_part(kept.parts, kept.levels[place])
    return _Limits(made, pixel_threshold(levels, made), scores)


def by_part(parts: Sequence[int], values: Sequence[float]) -> tuple[float, ...]:
    """Give the highest value of each part's frames; parts are numbered from 0."""
    highest = np.full(max(parts) + 1, -np.inf, np.float64)
    np.maximum.at(highest, list(parts), list(values))
    return tuple(highest.tolist())


def pixel_threshold(levels: Sequence[float], image: Threshold) -> float:
    """Give the threshold of cells from one level a good part.

    So that a new good part has more than a thousandth of its cells above it with the probability
    that it is rejected with, or the lowest that the parts support. Never above that of the score:
    each FAIL has a region.
    """
    rate = max(image.rate, 1 / (len(levels) + 1))
    return image.value if rate >= 1 else min(threshold(levels, rate), image.value)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)
