"""From a camera's pixel format to RGB in [0, 1]."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.pixel_format import PixelFormat

#: GenICam names a mosaic by its first row, these OpenCV constants by its first two rows.
_MOSAIC = {
    PixelFormat.BAYER_RG8: cv2.COLOR_BayerRGGB2RGB,
    PixelFormat.BAYER_GR8: cv2.COLOR_BayerGRBG2RGB,
    PixelFormat.BAYER_GB8: cv2.COLOR_BayerGBRG2RGB,
    PixelFormat.BAYER_BG8: cv2.COLOR_BayerBGGR2RGB,
}


def to_rgb(frame: NDArray[np.uint8] | NDArray[np.uint16], pixel_format: PixelFormat) -> Tensor:
    """Map a frame, (H, W) or (H, W, channels) as its format says, to (3, H, W) float32 in [0, 1].

    Bayer is demosaiced bilinearly, Mono expanded, alpha dropped.
    """
    if pixel_format.bits > 8:
        grey = _floats(frame)
        largest = float(2**pixel_format.bits - 1)
        return (grey / largest).clamp(max=1).expand(3, -1, -1)
    if pixel_format is PixelFormat.MONO8:
        return (_floats(frame) / 255).expand(3, -1, -1)
    if pixel_format in _MOSAIC:
        colours = _floats(np.asarray(cv2.cvtColor(frame, _MOSAIC[pixel_format])))
    else:
        colours = _floats(frame[..., :3])
    if pixel_format is PixelFormat.BGR8:
        colours = colours.flip(-1)
    return colours.permute(2, 0, 1) / 255


def _floats(values: NDArray[Any]) -> Tensor:
    """Copy, since torch warns of memory that it may not write, as a camera's slots are."""
    return torch.from_numpy(values.astype(np.float32, order="C"))
