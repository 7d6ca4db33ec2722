"""What a frame says of focus, exposure and light, in numbers that a hand can turn."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.calibration import Calibration
from models.geometry import Box
from models.images import luma
from models.light import light
from models.pixel_format import PixelFormat
from models.pixels import RawFrame, to_rgb

GRID = 3  # tiles a side
_USUAL = 3.0  # standard deviations of the good frames
_LEAST_DEVIATION = 0.02  # of the mean: what few frames in a row show is less than a shift brings


@dataclass(frozen=True, eq=False)
class Aim:
    """A frame's light and focus. Luma is 0 to 1; sharpness is the variance of its Laplacian."""

    brightness: float  # mean luma
    contrast: float  # standard deviation of the luma
    sharpness: float
    tiles: NDArray[np.float64]  # (3, 3) sharpness, row by row from the top
    black: float  # share of the pixels at 0
    white: float  # share of the pixels at full scale of the pixel format
    evenness: float  # luma of the darkest corner tile, as a share of the middle tile's
    across: float  # of the plane through the luma: right less left edge, as a share of the mean
    down: float  # bottom less top edge
    histogram: NDArray[np.int64]  # (256,) of the luma


@dataclass(frozen=True)
class Held:
    """A number held against the good frames of a calibration."""

    now: float
    then: float  # their mean
    deviations: float | None = None  # from it, in their standard deviations, where those are known

    @property
    def word(self) -> str:
        """Say ``high``, ``low`` or ``as then``; nothing where the spread is not known."""
        if self.deviations is None:
            return ""
        if abs(self.deviations) <= _USUAL:
            return "as then"
        return "high" if self.deviations > 0 else "low"


def aim(frame: RawFrame, pixel_format: PixelFormat) -> Aim:
    """Measure a frame, shaped as its format says, of at least 9 x 9 pixels."""
    y = luma(to_rgb(torch.from_numpy(np.array(frame)), pixel_format)).numpy()
    laplacian: NDArray[np.float32] = np.asarray(cv2.Laplacian(y, cv2.CV_32F), np.float32)
    rows, columns = (np.linspace(0, size, GRID + 1).astype(int) for size in y.shape)
    tiles = np.empty((GRID, GRID))
    means = np.empty((GRID, GRID))
    for r in range(GRID):
        for c in range(GRID):
            box = np.s_[rows[r] : rows[r + 1], columns[c] : columns[c + 1]]
            tiles[r, c] = _variance(laplacian[box])
            means[r, c] = y[box].mean(dtype=np.float64)
    dark, full = clipped(frame, pixel_format)
    across, down = _slope(y)
    middle = means[GRID // 2, GRID // 2]
    return Aim(
        brightness=float(y.mean(dtype=np.float64)),
        contrast=float(y.std(dtype=np.float64)),
        sharpness=_variance(laplacian[1:-1, 1:-1]),
        tiles=tiles,
        black=float(dark.mean()),
        white=float(full.mean()),
        evenness=float(means[:: GRID - 1, :: GRID - 1].min() / middle) if middle > 0 else 0.0,
        across=across,
        down=down,
        histogram=np.histogram(y, 256, (0, 1))[0],
    )


def clipped(
    frame: RawFrame, pixel_format: PixelFormat
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which pixels are at 0 in all colours, and which at full scale in any: (H, W) each."""
    colours = frame[..., None] if frame.ndim == 2 else frame[..., :3]  # alpha is no light
    return (colours == 0).all(-1), (colours >= 2**pixel_format.bits - 1).any(-1)


def against(
    now: Aim, frame: RawFrame, pixel_format: PixelFormat, then: Calibration, region: Box | None
) -> dict[str, Held]:
    """Hold a frame against the good frames of a calibration.

    Brightness and sharpness also by their spread (``models.light``, within the region of interest).
    """
    spot, drift = light(frame, pixel_format, region), then.drift
    return {
        "brightness": Held(
            now.brightness, then.brightness, _deviations(spot.brightness, drift.brightness)
        ),
        "contrast": Held(now.contrast, then.contrast),
        "sharpness": Held(
            now.sharpness, then.sharpness, _deviations(spot.sharpness, drift.sharpness)
        ),
    }


def _deviations(now: float, then: tuple[float, ...]) -> float | None:
    if len(then) < 2:
        return None
    mean = float(np.mean(then))
    return (now - mean) / max(float(np.std(then, ddof=1)), _LEAST_DEVIATION * mean, 1e-12)


def _variance(values: NDArray[np.float32]) -> float:
    return float(cv2.meanStdDev(values)[1][0, 0]) ** 2


def _slope(y: NDArray[np.float32]) -> tuple[float, float]:
    """Fit a plane (least squares) and give what it rises by, edge to edge, as shares of the mean.

    Over a full grid the two directions are independent: each is a line through the means.
    """
    mean = float(y.mean(dtype=np.float64))
    if mean == 0:
        return 0.0, 0.0
    rises = []
    for axis in (0, 1):
        profile = y.mean(axis=axis, dtype=np.float64)
        place = np.linspace(-0.5, 0.5, profile.size)
        rises.append(float(place @ profile / (place @ place) / mean))
    return rises[0], rises[1]
