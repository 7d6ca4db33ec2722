"""From maps and masks to metrics with their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Bootstrap, interval
from training.evaluation.image_metrics import NAMES, best_f1, count, measure, roc
from training.evaluation.looked import Looked
from training.evaluation.pixel_metrics import PixelScores
from training.evaluation.pro import PixelGrid, pixel_grid
from training.evaluation.result import (
    LIMITS,
    AlphaResult,
    DefectResult,
    MapResult,
    PixelCounts,
    Value,
    Values,
    au_pro_key,
)

_Floats = NDArray[np.float64]
_DRAWN = 400  # points of a curve in a result, at most


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of images or of parts, with what is known of each, and how often a resample has it."""

    scores: _Floats  # (n,)
    defective: NDArray[np.bool_]  # (n,)
    drawn: _Floats  # (resamples, n)
    what: str  # "image" or "part"

    def only(self, which: NDArray[np.bool_]) -> "Scored":
        return Scored(self.scores[which], self.defective[which], self.drawn[:, which], self.what)


def score_values(scored: Scored, threshold: float | None, how: Bootstrap) -> Values:
    """Give all metrics of scores by name."""
    exact = measure(count(scored.scores, scored.defective), threshold)
    spread = measure(count(scored.scores, scored.defective, scored.drawn), threshold)
    found = {}
    for name in NAMES:
        if name not in exact:
            found[name] = Value(value=None, reason="no threshold was set for this map")
        else:
            found[name] = _value(float(exact[name]), spread[name], how, _undefined(scored))
    return found


def _undefined(scored: Scored) -> str:
    """Say why a metric of scores is undefined, where one is."""
    if scored.defective.all():
        return f"no good {scored.what} among those to test with"
    if not scored.defective.any():
        return f"no defective {scored.what} among those to test with"
    return f"no {scored.what} is rejected"


def _value(exact: float, spread: _Floats, how: Bootstrap, reason: str) -> Value:
    if np.isnan(exact):
        return Value(value=None, reason=reason)
    low, high = interval(spread, how) or (None, None)
    return Value(value=exact, low=low, high=high)


def measure_map(looked: Looked, alpha: float, drawn: _Floats, how: Bootstrap) -> MapResult:
    """Measure the map of one alpha whole; ``drawn`` is how often a resample has each part."""
    limit = looked.normal.thresholds(alpha)
    parts, scores = looked.parts, looked.scores(alpha)
    images = Scored(scores, looked.defective, drawn[:, parts.of_image], "image")
    exact = count(scores, looked.defective)
    by_part = None
    if len(parts.defective) < len(scores):
        of_parts = Scored(parts.highest(scores), parts.defective, drawn, "part")
        by_part = score_values(of_parts, limit, how)
    with PixelScores() as pixels:
        rank_pixels(looked, alpha, pixels)
        grid = pixel_grid(pixels) if len(pixels) else None
        return MapResult(
            alpha=alpha,
            threshold=limit,
            best_threshold=(
                float(exact.thresholds[best_f1(exact)[1]]) if looked.defective.any() else None
            ),
            images=score_values(images, limit, how),
            parts=by_part,
            pixels=pixel_values(looked, pixels, grid, images.drawn, how),
            defects=_defects(looked, images, limit, pixels, how),
            roc=_thinned(*(rate.tolist() for rate in roc(exact))),
            pro=() if grid is None else _thinned(*(rate.tolist() for rate in grid.curve())),
            pixel_counts=None if grid is None else _counts(looked, grid),
        )


def measure_alpha(looked: Looked, alpha: float) -> AlphaResult:
    """Measure the fused map of one alpha, without intervals."""
    scores = measure(count(looked.scores(alpha), looked.defective), None)
    auroc = float(scores["auroc"])
    why = "good and defective test images are needed"
    with PixelScores() as pixels:
        rank_pixels(looked, alpha, pixels)
        values = {"auroc": Value(value=None, reason=why) if np.isnan(auroc) else Value(value=auroc)}
        return AlphaResult(
            alpha=alpha, values=values | pixel_values(looked, pixels, None, None, Bootstrap())
        )


def alpha_of(found: MapResult) -> AlphaResult:
    """Take from a map that was measured whole what its alpha's row tells."""
    return AlphaResult(alpha=found.alpha, values={"auroc": found.images["auroc"]} | found.pixels)


def has_masks(looked: Looked) -> bool:
    return any(looked.defective[i] for i in looked.known)


def rank_pixels(looked: Looked, alpha: float, pixels: PixelScores) -> None:
    """Add the images whose defect pixels are known; none if there is no mask of a defect."""
    if not has_masks(looked):
        return
    for i in looked.known:
        mask = looked.truths[i].mask
        if mask is not None:
            pixels.add(looked.pixels(i, alpha), mask)


def pixel_values(
    looked: Looked,
    pixels: PixelScores,
    grid: PixelGrid | None,
    drawn: _Floats | None,
    how: Bootstrap,
    images: Sequence[int] | None = None,
) -> Values:
    """Give pixel AUROC and AU-PRO; with intervals where there is a grid."""
    areas = pixels.areas(LIMITS, images)
    reason = areas.reason if len(pixels) else "no defective test image has a mask"
    exact = {"pixel_auroc": areas.auroc} | {
        au_pro_key(limit): areas.au_pro[limit] for limit in LIMITS
    }
    spread: Mapping[str, _Floats] = {}
    if grid is not None and drawn is not None:
        spread = _spread(grid, drawn[:, looked.known], exact)
    found = {}
    for name, value in exact.items():
        if value is None:
            found[name] = Value(value=None, reason=reason)
        else:
            found[name] = _value(value, spread.get(name, np.empty(0)), how, "")
    return found


def _spread(
    grid: PixelGrid, weights: _Floats, exact: Mapping[str, float | None]
) -> dict[str, _Floats]:
    """Give each area for every resample: that of the grid, moved by what it errs for all images."""
    once = np.ones((1, weights.shape[1]))
    found = {"pixel_auroc": grid.auroc(weights) - grid.auroc(once)}
    for limit in LIMITS:
        found[au_pro_key(limit)] = grid.au_pro(limit, weights) - grid.au_pro(limit, once)
    return {key: values + (exact[key] or 0) for key, values in found.items()}


def _defects(
    looked: Looked,
    images: Scored,
    threshold: float | None,
    pixels: PixelScores,
    how: Bootstrap,
) -> dict[str, DefectResult]:
    """Measure each type of defect against all good images."""
    kinds = [sample.defect for sample in looked.samples]
    found = {}
    for kind in sorted({kind for kind in kinds if kind is not None}):
        which = np.array([k is None or k == kind for k in kinds])
        values = score_values(images.only(which), threshold, how)
        rows = [row for row, i in enumerate(looked.known) if which[i]] if len(pixels) else []
        marked = [row for row in rows if kinds[looked.known[row]] == kind]
        values = {name: values[name] for name in ("auroc", "recall")}
        values |= pixel_values(looked, pixels, None, None, how, rows)
        found[kind] = DefectResult(
            images=kinds.count(kind),
            components=sum(pixels.components(row) for row in marked),
            values=values,
        )
    return found


def _counts(looked: Looked, grid: PixelGrid) -> PixelCounts:
    """Write a grid down: all but ``covered`` are whole numbers."""
    return PixelCounts(
        images=tuple(looked.known),
        good_pixels=tuple(map(int, grid.good_pixels)),
        defect_pixels=tuple(map(int, grid.defect_pixels)),
        components=tuple(map(int, grid.components)),
        passed=tuple(tuple(map(int, row)) for row in grid.passed),
        hit=tuple(tuple(map(int, row)) for row in grid.hit),
        covered=tuple(tuple(np.round(row, 6).tolist()) for row in grid.covered),
    )


def _thinned(x: list[float], y: list[float]) -> tuple[tuple[float, float], ...]:
    """Pair coordinates, rounded; without points where there is no curve."""
    pairs = [(round(a, 6), round(b, 6)) for a, b in zip(x, y, strict=True)]
    if any(a != a or b != b for a, b in pairs):
        return ()
    step = -(-len(pairs) // _DRAWN)
    return (*pairs[:-1:step], pairs[-1])
