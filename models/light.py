"""How bright and how sharp a frame is, at a cost that does not grow with it.

Without torch: its threads would wait for those of the networks, tens of milliseconds on a busy
machine, and the daemon's verdicts with them.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.geometry import Box
from models.images import LUMA
from models.pixel_format import PixelFormat
from models.pixels import HALF, MOSAIC, QUARTER, RawFrame

_PATCH = 16  # pixels, a side
_PATCHES = 10  # along a side of the frame
_RIM = 2  # pixels of a patch that its neighbours in the collage reach: colour and Laplacian


class Light(NamedTuple):
    brightness: float  # mean luma, 0 to 1
    #: Variance of the luma's 4-neighbour Laplacian by the square of the brightness, so that more
    #: light or exposure alone is no more sharpness. 0 of a black frame.
    sharpness: float


def light(frame: RawFrame, pixel_format: PixelFormat, region: Box | None = None) -> Light:
    """Give brightness and sharpness of a frame, as its pixel format says, within a region.

    Of 100 patches of 16 x 16 pixels spread evenly, of a frame smaller than that of all of it. A
    mosaic's patches begin at even pixels and become grey as the frame itself would.
    """
    if region is not None:
        top, left = region.y & ~1, region.x & ~1
        frame = frame[top : region.y + region.height, left : region.x + region.width]
    (rows, inner_rows), (columns, inner_columns) = (_spread(size) for size in frame.shape[:2])
    y = luma_of(frame[np.ix_(rows, columns)], pixel_format)
    laplacian = cv2.Laplacian(y, cv2.CV_32F)[np.ix_(inner_rows, inner_columns)]
    bright = float(y.mean())
    if not laplacian.size or bright == 0:
        return Light(bright, 0.0)
    return Light(bright, float(laplacian.var()) / bright**2)


def luma_of(frame: RawFrame, pixel_format: PixelFormat) -> NDArray[np.float32]:
    """Give the luma, (H, W) in [0, 1], of what ``models.pixels.to_rgb`` would give of a frame."""
    values = frame.astype(np.float32) / np.float32(2**pixel_format.bits - 1)
    if pixel_format in MOSAIC:
        return _luma_of_mosaic(values, pixel_format)
    if values.ndim == 2:
        return values.clip(max=np.float32(1))
    red, green, blue = LUMA[::-1] if pixel_format is PixelFormat.BGR8 else LUMA
    grey: NDArray[np.float32] = (
        red * values[..., 0] + green * values[..., 1] + blue * values[..., 2]
    )
    return grey


def _luma_of_mosaic(values: NDArray[np.float32], pixel_format: PixelFormat) -> NDArray[np.float32]:
    """Demosaic and weigh in one: red and blue are interpolated alike."""
    weights = np.zeros((2, 2), np.float32)
    for (row, column), weight in zip(MOSAIC[pixel_format], (LUMA[0], LUMA[2]), strict=True):
        weights[row, column] = weight
    height, width = values.shape
    site = np.tile(weights, (height // 2 + 1, width // 2 + 1))[:height, :width]
    coloured = cv2.filter2D(values * site, cv2.CV_32F, np.array(QUARTER, np.float32))
    green = np.where(site == 0, values * np.float32(LUMA[1]), np.float32(0))
    made: NDArray[np.float32] = coloured + cv2.filter2D(
        green, cv2.CV_32F, np.array(HALF, np.float32)
    )
    return made


def _spread(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the pixels of all patches along a side, and which of those are not at a rim."""
    patch, count = (_PATCH, _PATCHES) if size > _PATCH * _PATCHES else (size, 1)
    starts = (np.linspace(0, size - patch, count) // 2 * 2).astype(np.intp)
    pixels = (starts[:, None] + np.arange(patch)).ravel()
    inner = np.arange(_RIM, patch - _RIM)
    return pixels, (patch * np.arange(count)[:, None] + inner).ravel()
