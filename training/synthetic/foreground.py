"""Where a part is in a tile, so that no anomaly is put onto its background (thesis 4.1.3)."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]  # (H, W, 3) RGB in [0, 1]
Mask = NDArray[np.bool_]  # (H, W)

#: A background is only believed in where it and the part are this far apart (of 255 levels), ...
_CONTRAST = 20
#: ... and where it covers a share of the tile between these.
_LEAST, _MOST = 0.05, 0.95
_RIM = 4  # pixels, whose median is taken for the background's colour
_CLOSED = 1 / 32  # of the side: holes and islands smaller than that are not believed in


def foreground(image: Image) -> Mask:
    """Tell the part from a plain background; all is part where there is no such background.

    The background is what is like the tile's rim by Otsu's threshold of the difference, opened and
    closed.
    """
    levels = (image * 255).astype(np.uint8)
    rim = np.concatenate(
        [
            a.reshape(-1, 3)
            for a in (levels[:_RIM], levels[-_RIM:], levels[:, :_RIM], levels[:, -_RIM:])
        ]
    )
    difference = np.abs(levels.astype(np.int16) - np.median(rim, axis=0)).max(axis=2)
    difference = cv2.GaussianBlur(difference.astype(np.uint8), (5, 5), 0)
    _, part = cv2.threshold(difference, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    side = max(3, round(image.shape[0] * _CLOSED)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    part = cv2.morphologyEx(part, cv2.MORPH_CLOSE, kernel)
    part = cv2.morphologyEx(part, cv2.MORPH_OPEN, kernel).astype(bool)
    background = 1 - part.mean()
    if not _LEAST <= background <= _MOST:
        return np.ones_like(part)
    apart = difference[part].mean() - difference[~part].mean()
    return part if apart >= _CONTRAST else np.ones_like(part)
