"""The new good frames' maps against training's."""

from calibration.acceptance.answer import Answer, Check
from calibration.acceptance.limits import FAR, JUDGED, MOVED
from calibration.looked import Measured
from models.bit_histogram import BitHistogram
from models.bundle import TrainingReference
from models.calibration import HIGH, LOW

_TOLD = {"local": "local map", "globally": "global map"}


def map_checks(measured: Measured, reference: TrainingReference) -> list[Check]:
    """Hold quantiles of each scale's maps, over all counted cells, against the reference's.

    A map is far above training's if one cell in ten is beyond what one in 200 was then, and that
    by ``FAR`` times: bundles whose maps are flat reach the first soon.
    """
    checks = []
    for scale, histograms in measured.histograms.items():
        for which, histogram in histograms._asdict().items():
            normal = getattr(reference, which)[scale]
            quantiles = dict(zip(reference.probabilities, normal, strict=True))
            name = f"{scale}, {_TOLD[which]}"
            checks += [_check(name, histogram, p, quantiles) for p in JUDGED]
    return checks


def _check(name: str, histogram: BitHistogram, p: float, quantiles: dict[float, float]) -> Check:
    value, normal = histogram.quantile(p)[0], quantiles[p]
    ratio = value / normal if normal > 0 else (1.0 if value == 0 else float("inf"))
    fails: Answer | None = None
    if p == LOW and value > quantiles[HIGH] and ratio > FAR:
        fails = Answer.NEEDS_RETRAINING
    elif not 1 / MOVED <= ratio <= MOVED:
        fails = Answer.LIGHTING_CHANGED
    return Check(
        name=f"{name} at {p:g}",
        value=value,
        reference=normal,
        limit=f"{normal / MOVED:.4g} to {normal * MOVED:.4g}",
        ok=fails is None,
        fails=fails,
        says=_says(name, ratio, fails),
        by_few=p > LOW,
    )


def _says(name: str, ratio: float, fails: Answer | None) -> str:
    if fails is None:
        return ""
    said = f"{name} is {ratio:.2g} times as high as at training"
    if fails is Answer.NEEDS_RETRAINING:
        return f"{said}: the bundle does not know these parts"
    if ratio > 1:
        return f"{said}: a defect must be so many times as strong to be found"
    return f"{said}: the frames show less than those of training"
