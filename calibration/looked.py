"""What is known of the frames that were shown, once they are measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from models.bit_histogram import BitHistogram
from models.calibration import Calibration


class Levels(NamedTuple):
    """What the counted cells of one map of one frame say; quantiles are order statistics."""

    mean: float
    q50: float
    q90: float
    q995: float
    maximum: float


class MapLevels(NamedTuple):
    """Levels of a scale's two maps, before normalization."""

    local: Levels
    globally: Levels


@dataclass(frozen=True)
class FrameLook:
    """What one frame looked like."""

    name: str
    digest: str  # ``calibration.shown.frame_digest``
    part: str  # frames with the same are of one part
    score: float  # of the anomaly map, by the new calibration
    levels: Mapping[str, MapLevels]  # a scale each
    brightness: float  # mean luma, 0 to 1
    contrast: float  # standard deviation of the luma, 0 to 0.5
    sharpness: float  # variance of the luma's Laplacian


class MapHistograms(NamedTuple):
    """Histograms of a scale's two maps, over all counted cells of all frames."""

    local: BitHistogram
    globally: BitHistogram


@dataclass(frozen=True, eq=False)
class Measured:
    """A new calibration, and what it was made of."""

    calibration: Calibration
    frames: tuple[FrameLook, ...]  # sorted by digest
    histograms: Mapping[str, MapHistograms]  # a scale each
