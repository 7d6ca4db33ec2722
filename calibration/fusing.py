"""From raw maps and normal ranges to scores, for several alphas at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from models.calibration import PIXEL_QUANTILE, AnomalyMap, RawMaps, ScaleRange, fuse
from models.quantiles import quantile

_GRID = tuple(step / 10 for step in range(11))


class Fused(NamedTuple):
    """What a frame scores, an alpha each."""

    scores: tuple[float, ...]
    levels: tuple[float, ...]  # the quantile PIXEL_QUANTILE of its cells


@dataclass(frozen=True)
class Fuser:
    """Fuses maps exactly as inspection will (``LoadedRecipe.fuse``)."""

    ranges: Mapping[str, ScaleRange]
    weights: Mapping[str, float]
    alphas: tuple[float, ...]

    def __call__(self, maps: Mapping[str, RawMaps]) -> Fused:
        widest = max(maps.values(), key=lambda raw: raw.placement.area)
        counted = None if widest.ignored is None else ~widest.ignored
        scores, levels = [], []
        for alpha in self.alphas:
            anomaly = self.anomaly(maps, alpha)
            values = anomaly.values if counted is None else anomaly.values[counted]
            scores.append(anomaly.score)
            levels.append(quantile(values.numpy(), PIXEL_QUANTILE))
        return Fused(tuple(scores), tuple(levels))

    def anomaly(self, maps: Mapping[str, RawMaps], alpha: float) -> AnomalyMap:
        """Give the anomaly map."""
        return fuse(maps, self.ranges, alpha, self.weights)


def grid(alpha: float) -> tuple[float, ...]:
    """Give the alphas that scores are kept for: 0, 0.1 and so on to 1, and the recipe's own."""
    return tuple(sorted({*_GRID, alpha}))
