"""How well a bundle's scores tell synthetic defects from good frames (thesis 4.1.3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.bundle import Separation
from models.calibration import RawMaps, ScaleRange, fuse
from models.detector import Detector
from models.images import read_rgb, to_tensor
from models.mode import Mode
from models.scope import Scope
from models.threshold import default_rate, threshold
from training.data.good import digest
from training.evaluation.image_metrics import auroc, count
from training.look import look
from training.synthetic.frames import chosen, spoil


def separation_of(clean: Sequence[float], spoilt: Sequence[float], limit: float) -> Separation:
    """Describe scores of clean and of spoilt frames, with the threshold ``limit``.

    A tie of a clean and a spoilt one counts one half.
    """
    scores = np.array([*clean, *spoilt], np.float64)
    is_spoilt = np.arange(len(scores)) >= len(clean)
    return Separation(
        found=float(np.mean(np.asarray(spoilt) >= limit)),
        auroc=float(auroc(count(scores, is_spoilt))),
        frames=len(spoilt),
    )


def separation(
    detectors: Mapping[str, Detector],
    held_out: Sequence[Path],
    scope: Scope,
    ranges: Mapping[str, ScaleRange],
    alpha: float,
) -> dict[str, Separation]:
    """Put defects into held-out frames; give the separation of each mode that the scales allow.

    All but adaptive, which finds what ``whole`` or ``pyramid`` would. The threshold is that which
    the held-out frames support. A mode for which no frame could be spoilt is left out.
    """
    modes = [m for m in Mode if m is not Mode.ADAPTIVE and set(m.scales) <= set(detectors)]
    clean: dict[Mode, list[float]] = {mode: [] for mode in modes}
    spoilt: dict[Mode, list[float]] = {mode: [] for mode in modes}
    named = sorted((digest(path), path) for path in held_out)
    places = set(chosen(len(named)))
    for frame, (name, path) in enumerate(named):
        rgb = to_tensor(read_rgb(path))
        maps = look(detectors, rgb, scope)
        for mode in modes:
            clean[mode].append(_score(mode, maps, ranges, alpha))
        if frame not in places:
            continue
        for fine in {is_fine(mode) for mode in modes}:
            made = spoil(rgb, name, scope, fine=fine)
            if made is None:
                continue
            maps = look(detectors, made.rgb, scope)
            for mode in modes:
                if is_fine(mode) is fine:
                    spoilt[mode].append(_score(mode, maps, ranges, alpha))
    return {
        str(mode): separation_of(scores, spoilt[mode], threshold(scores, default_rate(len(scores))))
        for mode, scores in clean.items()
        if spoilt[mode]
    }


def is_fine(mode: Mode) -> bool:
    """Say whether defects for a mode are as small as its native tiles allow."""
    return mode is not Mode.WHOLE


def _score(
    mode: Mode, maps: Mapping[str, RawMaps], ranges: Mapping[str, ScaleRange], alpha: float
) -> float:
    weights = {str(name): 1.0 for name in mode.scales}
    return fuse({name: maps[name] for name in mode.scales}, ranges, alpha, weights).score
