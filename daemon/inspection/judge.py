"""From the anomaly map to PASS or FAIL, and where."""

import cv2
import numpy as np

from daemon.messages import Kind, Region
from models.calibration import AnomalyMap
from models.recipe import LoadedRecipe

#: Regions that a verdict names, those with the largest peaks.
MOST_REGIONS = 32


def judge(anomaly: AnomalyMap, recipe: LoadedRecipe) -> tuple[Kind, tuple[Region, ...]]:
    """Say FAIL if the score is at or above the threshold, and name the regions.

    Where the recipe sets a minimum area, a FAIL also takes a region that is as large and reaches
    the threshold. A PASS has no regions: good parts too have cells above the pixel threshold.
    """
    limit, least = recipe.calibration.threshold, recipe.recipe.least_area
    if not anomaly.score >= limit:  # most frames, and they are many
        return Kind.PASS, ()
    found = regions(anomaly, recipe.calibration.pixel_threshold, least)
    if least and not any(region.peak >= limit for region in found):
        return Kind.PASS, ()
    return Kind.FAIL, found


def regions(anomaly: AnomalyMap, threshold: float, least_area: float) -> tuple[Region, ...]:
    """Find the 8-connected areas of cells at or above a threshold, in frame pixels.

    Each cell stands for the rectangle of one step around its centre. Largest peak first.
    """
    values, placement = anomaly.values.numpy(), anomaly.placement
    mask = (values >= threshold).astype(np.uint8)
    (y0, x0), (dy, dx) = placement.first, placement.step
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label in range(1, count):
        left, top, width, height, cells = (int(v) for v in stats[label])
        if cells * dx * dy < least_area:
            continue
        box = np.s_[top : top + height, left : left + width]
        inside = np.where(labels[box] == label, values[box], -np.inf)
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        peak_y, peak_x = placement.centre((top + int(row), left + int(column)))
        middle_y, middle_x = placement.centre((centroids[label][1], centroids[label][0]))
        found.append(
            Region(
                x=x0 + (left - 0.5) * dx,
                y=y0 + (top - 0.5) * dy,
                width=width * dx,
                height=height * dy,
                area=cells * dx * dy,
                centroid=(middle_x, middle_y),
                peak=float(inside.max()),
                peak_at=(peak_x, peak_y),
            )
        )
    return tuple(sorted(found, key=lambda region: -region.peak)[:MOST_REGIONS])
