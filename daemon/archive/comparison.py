"""Is what an image gives now what was said of it then?

With the recorded engine's fingerprint: bit for bit. With another: each engine's raw maps may differ
from the fp32 reference's by its tolerance (``models.precision``), a share of their largest value;
two engines' by the sum of theirs, which normalization and fusion then scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from daemon.archive.read import Image
from daemon.messages import Kind, Region
from models.calibration import AT_HIGH, AnomalyMap, NormalRange, RawMaps
from models.precision import TOLERANCE, Precision
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Looked:
    """What a look at a frame gave."""

    verdict: Kind
    regions: tuple[Region, ...]
    anomaly: AnomalyMap
    raw: Mapping[str, RawMaps]
    engine: str  # fingerprint

    @property
    def score(self) -> float:
        return self.anomaly.score


@dataclass(frozen=True)
class Comparison:
    same_engine: bool
    tolerance: float  # of score and map; 0 with the same engine
    score_difference: float | None  # None where nothing was recorded
    map_difference: float | None  # largest of all cells
    faults: tuple[str, ...]  # what is not as recorded, for a person

    @property
    def reproduced(self) -> bool:
        return not self.faults


def compare(image: Image, looked: Looked, recipe: LoadedRecipe) -> Comparison:
    """Hold what was found now against an image's record, which must be there."""
    record = image.record
    if record is None:
        raise ValueError("no record")
    same = looked.engine == record.verdict.engine
    tolerance = 0.0 if same else _tolerance(looked, record.verdict.engine or "", recipe)
    faults = [] if image.unchanged else ["its pixels are not those that were recorded (SHA-256)"]
    faults += _map_faults(image, looked, tolerance)
    faults += _view_faults(image, looked, tolerance, recipe.calibration.threshold)
    recorded = image.map
    score = None if record.view is None else record.view.score
    values = looked.anomaly.values.numpy()
    comparable = recorded is not None and recorded.shape == values.shape
    return Comparison(
        same_engine=same,
        tolerance=tolerance,
        score_difference=None if score is None else abs(looked.score - score),
        map_difference=float(np.abs(values - recorded).max()) if comparable else None,
        faults=tuple(faults),
    )


def _map_faults(image: Image, looked: Looked, tolerance: float) -> list[str]:
    record, recorded = image.record, image.map
    if record is None or record.map is None or recorded is None:
        return ["no map was recorded: the model had failed"]
    if record.map.placement != looked.anomaly.placement:
        return ["its cells lie elsewhere in the frame"]
    values = looked.anomaly.values.numpy()
    if not tolerance:
        differing = int((values.view(np.uint32) != recorded.view(np.uint32)).sum())
        return [f"{differing} of {values.size} cells of its map differ"] if differing else []
    largest = float(np.abs(values - recorded).max())
    return [] if largest <= tolerance else [f"its map differs by {largest:.6g}"]


def _view_faults(image: Image, looked: Looked, tolerance: float, threshold: float) -> list[str]:
    view = image.record.view if image.record else None
    if view is None:
        return ["its verdict does not name its camera"]
    faults = []
    if view.score is not None and not abs(looked.score - view.score) <= tolerance:
        faults.append(f"its score is {looked.score:.9g}, recorded was {view.score:.9g}")
    # Near the threshold the tolerance leaves the verdict open.
    near = tolerance > 0 and view.score is not None and abs(view.score - threshold) <= tolerance
    if view.verdict not in (Kind.NO_VERDICT, looked.verdict) and not near:
        faults.append(f"its verdict is {looked.verdict}, recorded was {view.verdict}")
    if (
        not tolerance
        and view.score is not None
        and _shapes(view.regions) != _shapes(looked.regions)
    ):
        faults.append(f"its regions are {len(looked.regions)} others, not the recorded ones")
    return faults


def _shapes(regions: tuple[Region, ...]) -> list[tuple[object, ...]]:
    """Give what makes regions the same; boxes were clipped to the frame when published."""
    return [(r.area, r.centroid, r.peak, r.peak_at) for r in regions]


def _tolerance(looked: Looked, recorded_engine: str, recipe: LoadedRecipe) -> float:
    """Give by how much two engines' anomaly maps of this frame may differ."""
    share = sum(TOLERANCE[precision_of(name)] for name in (looked.engine, recorded_engine))
    calibration, weights = recipe.calibration, recipe.bundle.weights
    alpha, total = calibration.alpha, sum(weights[name] for name in looked.raw)

    def moved(largest: float, normal: NormalRange) -> float:
        return share * largest * AT_HIGH / (normal.q_b - normal.q_a)

    each = {
        name: alpha * moved(float(maps.local.abs().max()), calibration.scales[name].local)
        + (1 - alpha) * moved(float(maps.globally.abs().max()), calibration.scales[name].globally)
        for name, maps in looked.raw.items()
    }
    mixed = sum(weights[name] / total * by for name, by in each.items())
    partly = any(maps.computed is not None for maps in looked.raw.values())
    return max(mixed, *each.values()) if partly else mixed  # elsewhere a scale stands alone


def precision_of(fingerprint: str) -> Precision:
    """Give the precision that an engine's fingerprint names; the roughest where it names none."""
    named = [p for p in Precision if p in fingerprint.split("/")]
    return named[0] if named else max(Precision, key=lambda p: TOLERANCE[p])
