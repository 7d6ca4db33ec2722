"""The result of an evaluation: a record, and the JSON file that ``compare`` reads.

Rates and areas are shares from 0 to 1; intervals are of the level that ``intervals`` says.
"""

from typing import Literal

from pydantic import JsonValue

from models.records import Record

MAPS = ("local", "global", "fused")
LIMITS = (0.3, 0.05)  # of the false positive rate, for AU-PRO


def au_pro_key(limit: float) -> str:
    return f"au_pro_{limit:g}"


class Value(Record):
    """A metric with its interval; what is undefined is null, and says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


Values = dict[str, Value]  # by the metric's name


class DefectResult(Record):
    """One type of defect against all good images."""

    images: int
    components: int  # of its masks
    values: Values  # auroc, au_pro_0.3, pixel_auroc, and recall at the set threshold


class PixelCounts(Record):
    """What each image adds to the curves of pixels: results are compared image by image by it.

    Each row belongs to one of ``images``, each column to a threshold, descending.
    """

    images: tuple[int, ...]  # numbers in ``Result.images``
    good_pixels: tuple[int, ...]  # without a defect
    defect_pixels: tuple[int, ...]
    components: tuple[int, ...]
    passed: tuple[tuple[int, ...], ...]  # pixels without a defect at or above the threshold
    hit: tuple[tuple[int, ...], ...]  # defect pixels there
    covered: tuple[tuple[float, ...], ...]  # shares of components there, summed


class MapResult(Record):
    """What one of the three maps is worth. All names of metrics are in ``image_metrics.NAMES``."""

    alpha: float  # weight of the local map: 1 local, 0 global
    threshold: float | None  # set on good images alone
    best_threshold: float | None  # of the best F1: it has seen the test images
    images: Values
    parts: Values | None  # by a part's highest view; null where no part has several
    pixels: Values  # pixel_auroc, au_pro_0.3, au_pro_0.05
    defects: dict[str, DefectResult]
    roc: tuple[tuple[float, float], ...]  # false and true reject rate of images
    pro: tuple[tuple[float, float], ...]  # false positive rate of pixels, and PRO
    pixel_counts: PixelCounts | None = None


class AlphaResult(Record):
    """The fused map at one weight of the local map."""

    alpha: float
    values: Values  # auroc, pixel_auroc, au_pro_0.3, au_pro_0.05


class ImageResult(Record):
    image: str  # relative to the data set's folder
    height: int  # pixels
    width: int
    defect: str | None  # null: good
    part: str
    view: str
    mask: bool  # whether its defect pixels are known
    scores: dict[str, float]  # of the three maps
    rejected: bool | None  # by the fused map's threshold


class BundleFacts(Record):
    name: str
    sha256: str  # of the manifest
    pdn: str
    mode: str
    parameters: dict[str, int]  # of teacher, students and autoencoders, all scales
    trained_on: int  # images
    provenance: dict[str, JsonValue]


class DataFacts(Record):
    name: str
    layout: str
    good: int  # test images
    defective: int
    parts: int
    defects: dict[str, int]  # images of each type


class NormalFacts(Record):
    """Where ranges and thresholds come from. Never from test images."""

    source: Literal["recipe", "held-out"]
    images: int
    false_reject_rate: float
    ranges: dict[str, dict[str, tuple[float, float]]]  # scale -> map -> q_a, q_b


class Intervals(Record):
    level: float
    resamples: int
    seed: int


class Result(Record):
    format: Literal[1] = 1
    kind: Literal["effad-evaluation"] = "effad-evaluation"
    created: str  # ISO 8601, UTC
    effad: str  # version
    engine: str  # fingerprint
    bundle: BundleFacts
    data: DataFacts
    normal: NormalFacts
    alpha: float
    global_map: Literal["student", "teacher-autoencoder"]
    intervals: Intervals
    notes: tuple[str, ...]  # what the numbers rest on
    warnings: tuple[str, ...]  # what is wrong with them, or missing
    maps: dict[str, MapResult]  # local, global, fused
    alphas: tuple[AlphaResult, ...]
    images: tuple[ImageResult, ...]
