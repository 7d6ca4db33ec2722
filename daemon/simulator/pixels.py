"""Images turned into the bytes that a simulated camera sends."""

import numpy as np
from numpy.typing import NDArray

from models.pixel_format import PixelFormat

#: The formats that it can send.
SENT = (PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.BAYER_RG8, PixelFormat.RGB8)


def encode(image: NDArray[np.generic], pixel_format: PixelFormat) -> NDArray[np.generic]:
    """What a sensor of this format would send of the image.

    image: (H, W, 3) uint8 RGB, (H, W) uint8 grey, or, for Mono12 alone, (H, W) uint16 to 4095.
    Returns (H, W) uint8, (H, W) uint16 for Mono12, (H, W, 3) uint8 for RGB8. Grey is a scene
    without colour: every colour channel sees it. Raises ValueError for any other image or format.
    """
    if pixel_format not in SENT:
        raise ValueError(f"{pixel_format} is not simulated; allowed are {', '.join(SENT)}")
    if image.dtype == np.uint16 and image.ndim == 2 and pixel_format is PixelFormat.MONO12:
        if image.size and image.max() > 4095:
            raise ValueError(f"a Mono12 image has values up to {image.max()}, 4095 is the most")
        return image.astype("<u2")
    if image.dtype != np.uint8 or image.shape[2:] not in ((), (3,)) or image.ndim < 2:
        raise ValueError(
            f"an image of {image.dtype} {image.shape} does not fit {pixel_format}: "
            "give HxWx3 or HxW of uint8, or HxW of uint16 for Mono12"
        )
    grey = image if image.ndim == 2 else None
    match pixel_format:
        case PixelFormat.RGB8:
            return image if grey is None else np.repeat(grey[:, :, None], 3, axis=2)
        case PixelFormat.BAYER_RG8:
            return _mosaic(image) if grey is None else grey
        case PixelFormat.MONO8:
            return _luma(image, 255).astype(np.uint8) if grey is None else grey
        case PixelFormat.MONO12:
            wide = np.multiply(grey, 1000, dtype=np.uint32) if grey is not None else None
            return (_luma(image, 4095) if wide is None else _levels(wide, 4095)).astype("<u2")
    raise AssertionError(pixel_format)


def _mosaic(rgb: NDArray[np.generic]) -> NDArray[np.generic]:
    """RG in even rows, GB in odd ones."""
    raw = rgb[:, :, 1].copy()
    raw[0::2, 0::2] = rgb[0::2, 0::2, 0]
    raw[1::2, 1::2] = rgb[1::2, 1::2, 2]
    return raw


def _luma(rgb: NDArray[np.generic], top: int) -> NDArray[np.unsignedinteger]:
    """BT.601, in 0..top."""
    wide = rgb.astype(np.uint32)
    return _levels(299 * wide[:, :, 0] + 587 * wide[:, :, 1] + 114 * wide[:, :, 2], top)


def _levels(thousandths: NDArray[np.uint32], top: int) -> NDArray[np.unsignedinteger]:
    """Thousandths of 8 bit levels to 0..top, rounded."""
    return (thousandths * np.uint64(top) + np.uint64(127_500)) // np.uint64(255_000)
