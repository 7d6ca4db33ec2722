"""The calibration record of a recipe, and the fusion that it decides (thesis 4.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import Field, model_validator
from torch import Tensor

from models.geometry import Box, Placement
from models.precision import Precision
from models.records import Record

#: Probabilities of the two quantiles, and what they are mapped to (THESIS_NOTES.md).
LOW, HIGH = 0.9, 0.995
AT_HIGH = 0.1


class NormalRange(Record):
    """Quantiles of a map over the cells of good frames."""

    q_a: float
    q_b: float

    @model_validator(mode="after")
    def _ordered(self) -> "NormalRange":
        if not self.q_b > self.q_a:
            raise ValueError("q_b must be above q_a")
        return self

    def normalize(self, values: Tensor) -> Tensor:
        """Map q_a to 0 and q_b to 0.1."""
        return (values - self.q_a) * (AT_HIGH / (self.q_b - self.q_a))


class ScaleRange(Record):
    """Normal ranges of one scale's two maps."""

    local: NormalRange
    globally: NormalRange


class Calibration(Record):
    """What good parts of this lot, in this light, look like to a bundle; and the thresholds."""

    format: Literal[1] = 1
    created: str  # ISO 8601, UTC
    bundle: str  # SHA-256 of the bundle's manifest
    engine: str  # fingerprint of the engine that made the maps
    device: str  # "cpu" or "cuda": what the daemon runs on, chosen here
    precision: Precision
    alpha: float = Field(ge=0, le=1)  # weight of the local map (eq. 4.12)
    region_of_interest: Box | None = None
    scales: dict[str, ScaleRange]
    threshold: float  # a frame whose score is at or above it is FAIL
    pixel_threshold: float  # cells at or above it make regions
    false_reject_rate: float = Field(gt=0, lt=1)  # that the threshold was made for
    parts: int = Field(ge=1)
    scores: tuple[float, ...]  # of the good parts, in the order shown
    brightness: float  # mean of the good frames, 0 to 1
    sharpness: float  # mean variance of their Laplacian


class RawMaps(NamedTuple):
    """A scale's maps of one frame before normalization, each (h, w) float32."""

    local: Tensor
    globally: Tensor
    placement: Placement


@dataclass(frozen=True, eq=False)
class AnomalyMap:
    """The fused map of a frame."""

    values: Tensor  # (h, w) float32, 0 at q_a and 0.1 at q_b
    placement: Placement

    @cached_property
    def score(self) -> float:
        """The largest value; NaN if there is one."""
        return float(self.values.max())


def fuse(
    maps: Mapping[str, RawMaps],
    ranges: Mapping[str, ScaleRange],
    alpha: float,
    weights: Mapping[str, float],
) -> AnomalyMap:
    """Normalize and fuse the maps of all scales into one, on the cells that cover most of a frame.

    Within a scale by alpha (eq. 4.12), between scales by their weights. The cells are those of
    ``tiles`` where there are some: the finest of all but tiny frames, and none of them is lost.
    """
    widest = max((m.placement for m in maps.values()), key=lambda p: p.area)
    total = sum(weights[name] for name in maps)
    fused: Tensor | None = None
    for name, (local, globally, placement) in maps.items():
        scale = ranges[name]
        values = alpha * scale.local.normalize(local) + (1 - alpha) * scale.globally.normalize(
            globally
        )
        if placement != widest:
            values = placement.onto(values, widest)
        values = values * (weights[name] / total)
        fused = values if fused is None else fused + values
    if fused is None:
        raise ValueError("no maps")
    return AnomalyMap(fused, widest)
