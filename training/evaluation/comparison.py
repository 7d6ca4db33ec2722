"""Results side by side: means over seeds, and differences with paired intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.evaluation.bootstrap import Bootstrap, Parts, interval
from training.evaluation.image_metrics import auroc, count
from training.evaluation.pro import PixelGrid
from training.evaluation.result import LIMITS, PixelCounts, Result, au_pro_key

_Floats = NDArray[np.float64]

#: What runs are compared by: by key, the heading.
METRICS = {
    "auroc": "image AUROC",
    **{au_pro_key(limit): f"AU-PRO ({limit:g})" for limit in LIMITS},
    "pixel_auroc": "pixel AUROC",
}


@dataclass(frozen=True)
class Contender:
    """A way to train or to look, by the results of one or several seeds."""

    name: str
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Cell:
    """A metric of a contender's map; all are shares. None: undefined, or nothing to tell."""

    mean: float | None  # over seeds
    spread: float | None = None  # standard deviation over seeds (n - 1)
    difference: float | None = None  # of the mean, to the first contender's
    low: float | None = None  # paired interval of the difference
    high: float | None = None


@dataclass(frozen=True)
class Row:
    name: str
    seeds: int
    settings: dict[str, str]  # those that are not the same for all contenders
    map: str
    cells: dict[str, Cell]  # by metric


def compare(contenders: Sequence[Contender], how: Bootstrap, maps: Sequence[str]) -> list[Row]:
    """Put contenders side by side, a row each for every map.

    A difference is of two contenders on the same test images; its interval comes from the same
    draws of parts for both (paired), each metric meaned over a contender's seeds in each draw. It
    is about other test images, not about other seeds: the spread is. Where the images are others
    there is no difference. Raises ``InputError`` if one contender's seeds saw different images.
    """
    for contender in contenders:
        for result in contender.results[1:]:
            if _shown(result) != _shown(contender.results[0]):
                raise InputError(
                    f"{contender.name}: its results are not of the same test images; give seeds of"
                    " one setting, evaluated on one data set"
                )
    settings = differing(contenders)
    first = contenders[0]
    drawn = _draws(first.results[0], how)
    rows = []
    for name in maps:
        base = {key: _resampled(first, name, key, drawn) for key in METRICS}
        for contender, own in zip(contenders, settings, strict=True):
            paired = contender is not first and _shown(contender.results[0]) == _shown(
                first.results[0]
            )
            cells = {}
            for key in METRICS:
                cell = _cell(contender, name, key)
                if paired:
                    resampled = _resampled(contender, name, key, drawn) - base[key]
                    cell = _against(cell, _cell(first, name, key), resampled, how)
                cells[key] = cell
            rows.append(Row(contender.name, len(contender.results), own, name, cells))
    return rows


def differing(contenders: Sequence[Contender]) -> list[dict[str, str]]:
    """Give, for each contender, the settings in which not all are the same."""
    facts = [_facts(contender.results[0]) for contender in contenders]
    keys = dict.fromkeys(key for found in facts for key in found)
    apart = [key for key in keys if len({found.get(key, "-") for found in facts}) > 1]
    return [{key: found.get(key, "-") for key in apart} for found in facts]


def _facts(result: Result) -> dict[str, str]:
    """Flatten what decides a result, but for seeds and names."""
    bundle = result.bundle
    found: dict[str, object] = {
        "data": result.data.name,
        "pdn": bundle.pdn,
        "parameters": sum(bundle.parameters.values()),
        "mode": bundle.mode,
        "images": bundle.trained_on,
        "teacher": bundle.provenance.get("teacher", "-"),
        "warm start": "yes" if bundle.provenance.get("start") else "no",
        "region": bundle.provenance.get("region", "-"),
        "global": result.global_map,
        "alpha": result.alpha,
        "ranges": result.normal.source,
    }
    settings = bundle.provenance.get("settings")
    if isinstance(settings, dict):
        found |= {key: value for key, value in settings.items() if key != "seed"}
    return {key: str(value) for key, value in found.items()}


def _shown(result: Result) -> list[tuple[str, str | None]]:
    return [(image.image, image.defect) for image in result.images]


def _cell(contender: Contender, name: str, key: str) -> Cell:
    values = []
    for result in contender.results:
        found = result.maps[name]
        value = (found.images if key == "auroc" else found.pixels)[key].value
        if value is None:
            return Cell(None)
        values.append(value)
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), spread)


def _against(cell: Cell, base: Cell, resampled: _Floats, how: Bootstrap) -> Cell:
    if cell.mean is None or base.mean is None:
        return cell
    low, high = interval(resampled, how) or (None, None)
    return Cell(cell.mean, cell.spread, cell.mean - base.mean, low, high)


def _draws(result: Result, how: Bootstrap) -> _Floats:
    """Give how often each image is drawn, (resamples, images)."""
    defective = np.array([image.defect is not None for image in result.images], np.bool_)
    parts = Parts.of([image.part for image in result.images], defective)
    return parts.resampled(how)[:, parts.of_image]


def _resampled(contender: Contender, name: str, key: str, drawn: _Floats) -> _Floats:
    """Give a metric, meaned over seeds, for each draw; NaN where it is undefined."""
    found = []
    for result in contender.results:
        if key == "auroc":
            scores = np.array([image.scores[name] for image in result.images])
            defective = np.array([image.defect is not None for image in result.images], np.bool_)
            found.append(auroc(count(scores, defective, drawn)))
            continue
        counts = result.maps[name].pixel_counts
        if counts is None:
            return np.full(len(drawn), np.nan)
        grid, weights = grid_of(counts), drawn[:, list(counts.images)]
        limits = {au_pro_key(limit): limit for limit in LIMITS}
        found.append(grid.au_pro(limits[key], weights) if key in limits else grid.auroc(weights))
    return np.asarray(np.mean(found, axis=0))


def grid_of(counts: PixelCounts) -> PixelGrid:
    """Read a grid that a result has written down."""
    return PixelGrid(
        passed=np.array(counts.passed, np.float64),
        hit=np.array(counts.hit, np.float64),
        covered=np.array(counts.covered, np.float64),
        good_pixels=np.array(counts.good_pixels, np.float64),
        defect_pixels=np.array(counts.defect_pixels, np.float64),
        components=np.array(counts.components, np.float64),
    )
