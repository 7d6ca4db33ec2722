"""The calibration record of a recipe, and the fusion that it decides (thesis 4.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from models.backend import Backend
from models.drift import DriftReference
from models.geometry import STRIDE, Box, Placement, TileStride
from models.mode import Mode
from models.precision import Precision
from models.records import Record
from models.threshold import Threshold

#: Probabilities of the two quantiles, and what they are mapped to (THESIS_NOTES.md).
LOW, HIGH = 0.9, 0.995
AT_HIGH = 0.1
#: The share of a good frame's cells that the pixel threshold is made by.
PIXEL_QUANTILE = 0.999
#: Largest share of all cells by which the rank of a quantile may miss.
MOST_RANK_ERROR = 1e-4


class NormalRange(Record):
    """Quantiles of a map over the cells of good frames."""

    q_a: float
    q_b: float
    #: By how much the rank of either misses at most, as a share of all cells.
    rank_error: float = Field(default=0.0, ge=0, le=MOST_RANK_ERROR)

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


class AskLevel(Record):
    """Where mode ``adaptive`` asks for native tiles (``models.adaptive``)."""

    share: float = Field(gt=0, lt=1)  # of the tiles of good parts, that it was made for
    level: float  # a tile whose peak in the whole's anomaly map is above it is asked for


class KeptScores(Record):
    """What good frames score by several alphas, so that another needs no frames again.

    Frames are sorted by their digest (``calibration.shown``).
    """

    parts: tuple[int, ...]  # of each frame, from 0 in the order of frames
    alphas: tuple[float, ...]  # ascending
    scores: tuple[tuple[float, ...], ...]  # an alpha each: of each frame
    levels: tuple[tuple[float, ...], ...]  # likewise: the quantile PIXEL_QUANTILE of its cells

    @model_validator(mode="after")
    def _even(self) -> "KeptScores":
        rows = (*self.scores, *self.levels)
        if len(self.scores) != len(self.alphas) or len(self.levels) != len(self.alphas):
            raise ValueError("each alpha must have its scores and levels")
        if any(len(row) != len(self.parts) for row in rows):
            raise ValueError("each frame must have a score and a level")
        return self


class Calibration(Record):
    """What good parts of this lot, in this light, look like to a bundle; and the thresholds.

    It says nothing of when it was made: the same frames give the same bytes.
    """

    format: Literal[2] = 2
    bundle: str  # SHA-256 of the bundle's manifest
    engine: str  # fingerprint of the engine that made the maps
    device: str  # "cpu" or "cuda": what the daemon runs on, chosen here
    precision: Precision
    backend: Backend = Backend.TORCH
    alpha: float = Field(ge=0, le=1)  # weight of the local map (eq. 4.12)
    region_of_interest: Box | None = None
    mode: Mode | None = None  # None: what the bundle's scales say
    ignore_mask: str | None = None  # ``models.polygons.mask_sha256`` of what is not inspected
    tile_stride: TileStride = STRIDE
    ask: AskLevel | None = None  # of mode ``adaptive``
    scales: dict[str, ScaleRange]
    threshold: float  # a frame whose score is at or above it is FAIL
    pixel_threshold: float  # cells at or above it make regions; not above the threshold
    false_reject_rate: float = Field(gt=0, le=1)  # of good parts, that the threshold stands for
    made: Threshold  # how it was made, and what is known of that rate
    parts: int = Field(ge=1)
    frames: int = Field(ge=1)
    scores: tuple[float, ...]  # of the parts, in the order of their first frame's digest
    kept: KeptScores
    brightness: float  # mean luma of the good frames, 0 to 1
    contrast: float  # mean standard deviation of their luma
    sharpness: float  # mean variance of their Laplacian
    drift: DriftReference


class RawMaps(NamedTuple):
    """A scale's maps of one frame before normalization, each (h, w) float32, 0 or above."""

    local: Tensor
    globally: Tensor
    placement: Placement
    computed: Tensor | None = None  # (h, w) bool: cells of tiles that ran, the others 0; None: all
    ignored: Tensor | None = None  # (h, w) bool: cells under the ignore mask; None: none

    @property
    def counted(self) -> Tensor:
        """The cells that say something of the part, (h, w) bool."""
        counted = torch.ones(self.placement.cells, dtype=torch.bool)
        if self.computed is not None:
            counted &= self.computed
        return counted if self.ignored is None else counted & ~self.ignored


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
    Where a scale's cells were not computed the others stand alone. An ignored cell has the value
    of two maps of 0, below which no cell can be: it wins no score, and is below every threshold,
    for that is above the score of a good part.
    """
    if not maps:
        raise ValueError("no maps")
    normal = {
        name: _normal(raw.local, raw.globally, ranges[name], alpha) for name, raw in maps.items()
    }
    widest = max(maps.values(), key=lambda raw: raw.placement.area)
    values = _mix(maps, normal, weights, widest.placement)
    zero = torch.zeros(())
    least = torch.stack([_normal(zero, zero, ranges[name], alpha) for name in maps]).min()
    for name, raw in maps.items():
        if raw.computed is None:
            continue
        if raw.placement != widest.placement:
            raise ValueError(f"scale {name}: computed in part, and not where the map's cells are")
        others = {other: maps[other] for other in maps if other != name}
        alone = _mix(others, normal, weights, widest.placement) if others else least
        values = torch.where(raw.computed, values, alone)
    if widest.ignored is not None:
        values = torch.where(widest.ignored, least, values)
    return AnomalyMap(values, widest.placement)


def _normal(local: Tensor, globally: Tensor, scale: ScaleRange, alpha: float) -> Tensor:
    """Normalize two maps and fuse them by alpha."""
    return alpha * scale.local.normalize(local) + (1 - alpha) * scale.globally.normalize(globally)


def _mix(
    maps: Mapping[str, RawMaps],
    normal: Mapping[str, Tensor],
    weights: Mapping[str, float],
    placement: Placement,
) -> Tensor:
    """Give the weighted mean of scales' normalized maps at the cells of a placement."""
    total = sum(weights[name] for name in maps)
    mixed: Tensor | None = None
    for name, raw in maps.items():
        values = normal[name]
        if raw.placement != placement:
            values = raw.placement.onto(values, placement)
        values = values * (weights[name] / total)
        mixed = values if mixed is None else mixed + values
    if mixed is None:
        raise ValueError("no maps")
    return mixed
