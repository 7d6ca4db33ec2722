"""Pixel curves at a grid of thresholds, image by image: to draw, and for intervals of areas."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.pixel_metrics import PixelScores
from training.evaluation.runs import keys

POINTS = 64
_SAMPLE = 1 << 18  # pixels that thresholds are chosen by
_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PixelGrid:
    """What each image adds to the curves at each threshold.

    The first threshold is above every pixel without a defect, the last below all pixels.
    """

    passed: _Floats  # (images, T): pixels without a defect at or above the threshold
    hit: _Floats  # (images, T): defect pixels there
    covered: _Floats  # (images, T): shares of components there, summed over the image's
    good_pixels: _Floats  # (images,): without a defect
    defect_pixels: _Floats  # (images,)
    components: _Floats  # (images,)

    def curve(self, weights: _Floats | None = None) -> tuple[_Floats, _Floats]:
        """Give false positive rate and PRO at each threshold, (..., T).

        ``weights``, (..., images), is how often an image counts: once by default. NaN where no
        image that counts has a component, or none a pixel without a defect.
        """
        return self._mean(self.passed, self.good_pixels, weights), self._mean(
            self.covered, self.components, weights
        )

    def au_pro(self, limit: float, weights: _Floats | None = None) -> _Floats:
        """Integrate PRO up to a limit, (...,), and divide by it.

        Below ``PixelScores.areas`` by what the curve bends between two thresholds, some thousandths
        at most: good for how an area varies and differs, not for the area itself.
        """
        return _area(*self.curve(weights), limit)

    def auroc(self, weights: _Floats | None = None) -> _Floats:
        """Integrate the ROC curve of pixels, (...,), to the same precision."""
        rate = self._mean(self.passed, self.good_pixels, weights)
        return _area(rate, self._mean(self.hit, self.defect_pixels, weights), 1.0)

    def _mean(self, counted: _Floats, total: _Floats, weights: _Floats | None) -> _Floats:
        weights = np.ones(len(total)) if weights is None else weights
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(weights @ counted / (weights @ total)[..., None])


def _area(x: _Floats, y: _Floats, limit: float) -> _Floats:
    """Integrate by trapezoids from 0 to a limit of x, interpolated there, and divide by it."""
    before, after = x[..., :-1], x[..., 1:]
    reach = np.minimum(after, limit)
    width = np.where(after > before, after - before, 1)
    end = y[..., :-1] + (y[..., 1:] - y[..., :-1]) * (reach - before) / width
    part = np.where(before < limit, (reach - before) * (y[..., :-1] + end) / 2, 0)
    return np.where(np.isnan(x[..., -1] + y[..., -1]), np.nan, part.sum(axis=-1)) / limit


def pixel_grid(pixels: PixelScores, points: int = POINTS) -> PixelGrid | None:
    """Count at about so many thresholds, denser where the false positive rate is low.

    None where no image has a pixel without a defect.
    """
    runs = [pixels.good_keys(i) for i in range(len(pixels))]
    total = sum(map(len, runs))
    if not total:
        return None
    stride = max(1, total // _SAMPLE)
    sample = np.sort(np.concatenate([run[::stride] for run in runs]))
    ranks = np.round(np.linspace(0, 1, points) ** 2 * (len(sample) - 1)).astype(np.int64)
    first = min(run[0] for run in runs if len(run))
    last = keys(np.array([-np.inf], np.float32))
    # A key below all is a threshold above all.
    wanted = np.unique(np.concatenate([[max(first, 1) - 1], sample[ranks], last])).astype(np.uint32)
    passed = [np.searchsorted(run, wanted, "right") for run in runs]
    hit, covered = [], []
    for i in range(len(pixels)):
        key, share = pixels.defect_keys(i)
        hit.append(np.searchsorted(key, wanted, "right"))
        covered.append(np.concatenate([[0.0], np.cumsum(share)])[hit[-1]])
    return PixelGrid(
        passed=np.array(passed, np.float64),
        hit=np.array(hit, np.float64),
        covered=np.array(covered),
        good_pixels=np.array([len(run) for run in runs], np.float64),
        defect_pixels=np.array([count[-1] for count in hit], np.float64),
        components=np.array([pixels.components(i) for i in range(len(pixels))], np.float64),
    )
