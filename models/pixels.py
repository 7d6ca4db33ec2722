"""From a camera's pixel format to RGB in [0, 1], on whatever device the frame lies."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.pixel_format import PixelFormat

RawFrame = NDArray[np.uint8] | NDArray[np.uint16]

#: Where the colours lie in each 2 x 2 of a mosaic, as (row, column): red, blue.
MOSAIC = {
    PixelFormat.BAYER_RG8: ((0, 0), (1, 1)),
    PixelFormat.BAYER_GR8: ((0, 1), (1, 0)),
    PixelFormat.BAYER_GB8: ((1, 0), (0, 1)),
    PixelFormat.BAYER_BG8: ((1, 1), (0, 0)),
}
#: Bilinear interpolation of one colour from the pixels that have it: red and blue, and green.
QUARTER = ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25))
HALF = ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0))
_BAND = 256  # rows of a frame, an even number of them


def upload(frame: RawFrame, device: torch.device) -> Tensor:
    """Bring a frame to a device as it is; from memory registered with CUDA without waiting."""
    if not frame.flags.writeable:
        frame = frame.copy()  # torch warns of memory that it may not write
    return torch.from_numpy(frame).to(device, non_blocking=True)


def to_rgb(frame: Tensor, pixel_format: PixelFormat) -> Tensor:
    """Map a frame, (H, W) or (H, W, channels) as its format says, to (3, H, W) float32 in [0, 1].

    Bayer is demosaiced bilinearly, Mono expanded, alpha dropped.
    """
    if pixel_format is PixelFormat.BGR8:
        frame = frame.flip(-1)
    values = frame.float()
    if pixel_format.bits > 8:
        return values.div_(float(2**pixel_format.bits - 1)).clamp_(max=1).expand(3, -1, -1)
    if pixel_format in MOSAIC:
        return demosaic(values, *MOSAIC[pixel_format]).div_(255)
    values.div_(255)
    if pixel_format is PixelFormat.MONO8:
        return values.expand(3, -1, -1)
    return values[..., :3].permute(2, 0, 1)


def demosaic(mosaic: Tensor, red: tuple[int, int], blue: tuple[int, int]) -> Tensor:
    """Interpolate (H, W) to (3, H, W); H and W are at least 2.

    A mosaic mirrored about its border pixel goes on as it was, so that is what lies beyond.
    """
    kernels = mosaic.new_tensor([QUARTER, HALF, QUARTER])[:, None]
    padded = functional.pad(mosaic[None, None], (1, 1, 1, 1), mode="reflect")[0, 0]
    found = mosaic.new_empty(3, *mosaic.shape)
    # A whole frame of 20 megapixels at once takes 3 GB. The sums are exact: bands change no bit.
    for top in range(0, mosaic.shape[0], _BAND):
        band = padded[top : top + _BAND + 2]
        planes = band.new_zeros(3, *band.shape)
        planes[1] = band
        for plane, (row, column) in ((0, red), (2, blue)):
            here = (slice(1 - row, None, 2), slice(1 - column, None, 2))  # one pixel further in
            planes[plane][here] = band[here]
            planes[1][here] = 0
        found[:, top : top + _BAND] = functional.conv2d(planes[None], kernels, groups=3)[0]
    return found
