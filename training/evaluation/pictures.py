"""The small pictures of a report: a frame, the outline of a mask, a map in colours over it."""

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 176  # pixels of a picture's longer side, at most
_QUALITY = 82  # of its JPEG
_OUTLINE = (0, 255, 90)  # RGB, of a mask
Image = NDArray[np.uint8]  # (h, w, 3) RGB


def shrunk(rgb: Image) -> Image:
    """Give (H, W, 3) at the size of a picture."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def outlined(small: Image, mask: NDArray[np.bool_] | None) -> Image:
    """Draw the border of a mask; grey where it is unknown."""
    if mask is None:
        return np.full_like(small, 128)
    size = (small.shape[1], small.shape[0])
    # A defect of one pixel is still seen.
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    outline, _ = cv2.findContours(
        covered.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    drawn = cv2.drawContours(small.copy(), outline, -1, _OUTLINE, 1)
    return np.asarray(drawn, np.uint8)


def heat(small: Image, values: NDArray[np.float32], top: float) -> Image:
    """Lay colours, from blue at 0 to red at ``top``, over a grey picture of the same size."""
    levels = np.clip(values / top * 255, 0, 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(colours, 0.7, grey, 0.3, 0), np.uint8)


def embedded(rgb: Image) -> str:
    """Give a picture as HTML that needs no file, as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    coded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)[1]
    text = base64.b64encode(coded.tobytes()).decode()
    return f'<img alt="" src="data:image/jpeg;base64,{text}">'
