"""AU-PRO and pixel AUROC as they are defined: a loop over every distinct score."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = Sequence[NDArray[np.float32]]
Masks = Sequence[NDArray[np.bool_]]


def curve(maps: Maps, masks: Masks) -> tuple[list[float], list[float], list[float]]:
    """Give false positive rate, PRO and true positive rate from the highest threshold down."""
    thresholds = sorted({float(v) for m in maps for v in m.flat}, reverse=True)
    regions = []
    for m, mask in zip(maps, masks, strict=True):
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        regions += [m[labels == n] for n in range(1, count)]
    good = np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)])
    bad = np.concatenate([m[mask] for m, mask in zip(maps, masks, strict=True)])
    fpr, pro, tpr = [0.0], [0.0], [0.0]
    for threshold in thresholds:
        fpr.append(float(np.mean(good >= threshold)))
        pro.append(float(np.mean([np.mean(region >= threshold) for region in regions])))
        tpr.append(float(np.mean(bad >= threshold)))
    return fpr, pro, tpr


def area(x: Sequence[float], y: Sequence[float], limit: float) -> float:
    """Integrate by trapezoids up to ``limit``, interpolated there; divide by it."""
    total = 0.0
    for (x0, y0), (x1, y1) in zip(
        zip(x, y, strict=True), zip(x[1:], y[1:], strict=True), strict=False
    ):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        total += (x1 - x0) * (y0 + y1) / 2
    return total / limit
