"""Images that stand out among those that were trained on: perhaps not of good parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.bundle import TrainingReference
from models.calibration import HIGH, LOW, NormalRange, ScaleRange, fuse
from models.detector import Detector
from models.images import read_rgb, to_tensor
from models.precision import autocast
from models.scope import Scope
from training.look import look

#: Scores whose logarithm is further above the median than so many robust deviations are suspect.
#: Scores of good parts, being maxima, have a long tail upwards, and their logarithms less of it: of
#: 94 metal nuts trained on the highest is at 3.5, and scratched ones that were not are at 9 to 11.
DEVIATIONS = 5.0
_MAD = 1.4826  # times the median absolute deviation is a Gaussian's standard deviation
_LEAST = 1e-3  # below it a score is as good as another
_FEW = 4  # images of which none can stand out


def find_suspects(
    detectors: Mapping[str, Detector],
    paths: Sequence[Path],
    reference: TrainingReference,
    scope: Scope,
) -> list[Path]:
    """Give the images whose score stands out, the highest first.

    A defect that was trained on scores less than it would otherwise, but still much: the detector
    has seen it once an epoch, and the good parts of its place on all other occasions. Looks at the
    whole frame alone where there is that scale, in bf16 where that is faster.
    """
    if len(paths) < _FEW:
        return []
    names = ["whole"] if "whole" in detectors else list(detectors)
    ranges = {name: _range(reference, name) for name in names}
    weights = dict.fromkeys(names, 1.0)
    chosen = {name: detectors[name] for name in names}
    scores = []
    with autocast():
        for path in paths:
            maps = look(chosen, to_tensor(read_rgb(path)), scope)
            scores.append(fuse(maps, ranges, 0.5, weights).score)
    return [paths[place] for place in outstanding(scores)]


def outstanding(scores: Sequence[float]) -> list[int]:
    """Give the places of the scores that stand out upwards, the highest first."""
    if len(scores) < _FEW:
        return []
    values = np.log(np.maximum(scores, _LEAST))
    median = np.median(values)
    limit = median + DEVIATIONS * _MAD * np.median(np.abs(values - median))
    order = np.argsort(-values, kind="stable")
    return [int(place) for place in order if values[place] > limit]


def _range(reference: TrainingReference, name: str) -> ScaleRange:
    low, high = (reference.probabilities.index(p) for p in (LOW, HIGH))

    def normal(quantiles: tuple[float, ...]) -> NormalRange:
        return NormalRange(q_a=quantiles[low], q_b=quantiles[high])

    return ScaleRange(
        local=normal(reference.local[name]), globally=normal(reference.globally[name])
    )
