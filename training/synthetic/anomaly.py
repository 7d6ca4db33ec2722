"""A tile with a synthetic anomaly, and which of its cells lie on it."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.geometry import CELLS, STEP
from training.synthetic.foreground import Image, Mask

#: Pixels that a cell sees along an axis: cell i sees 4 i to 4 i + 32.
FIELD = 33
#: First of the 4 pixels that cell 0 answers for: cell i answers for 4 i + 14 to 4 i + 17.
OWN = 14
#: A change below this, of [0, 1], is not to be called an anomaly.
VISIBLE = 8 / 255


class Anomaly(NamedTuple):
    image: Image  # (H, W, 3)
    changed: Mask  # every pixel that is not the good tile's
    visible: Mask  # those that changed by so much that they show


def anomaly(good: Image, image: Image) -> Anomaly:
    """Find what was changed in a good tile, both (H, W, 3)."""
    difference = np.abs(image - good).max(axis=2)
    return Anomaly(image, difference > 0, difference >= VISIBLE)


class Cells(NamedTuple):
    """Which cells of a tile an anomaly concerns, (56, 56) bool each."""

    on: Tensor  # half of the pixels that the cell answers for are visibly changed
    touched: Tensor  # a pixel that the cell sees is changed


def cells(found: Anomaly) -> Cells:
    """Tell by geometry which cells lie on an anomaly of a tile of 256 x 256, and which see it."""
    own = slice(OWN, OWN + STEP * CELLS)
    visible = torch.from_numpy(found.visible[own, own].astype(np.float32))
    changed = torch.from_numpy(found.changed.astype(np.float32))
    return Cells(
        on=functional.avg_pool2d(visible[None], STEP)[0] >= 0.5,
        touched=functional.max_pool2d(changed[None], FIELD, STEP)[0] > 0,
    )


class Window(NamedTuple):
    """A part of a tile with cells that lie on an anomaly."""

    pixels: Tensor  # (3, 4 h + 29, 4 w + 29): what the cells see
    on: Tensor  # (h, w) bool: those of them that lie on it


#: Cells this near share a window: their fields overlap by more than it would save to part them.
_NEAR = 4


def windows(found: Anomaly, on: Tensor) -> tuple[Window, ...]:
    """Cut out what the cells ``on`` an anomaly see.

    Without padding a network gives the same features for them as in the whole tile.
    """
    flags = on.numpy().astype(np.uint8)
    near = cv2.dilate(flags, np.ones((_NEAR + 1, _NEAR + 1), np.uint8))
    count, labels = cv2.connectedComponents(near)
    image = torch.from_numpy(found.image).permute(2, 0, 1)
    return tuple(_window(image, labels == label, on) for label in range(1, count))


def _window(image: Tensor, group: NDArray[np.bool_], on: Tensor) -> Window:
    rows, columns = np.nonzero(group & on.numpy())
    top, left, height, width = cv2.boundingRect(np.stack([rows, columns], axis=1).astype(np.int32))
    y, x = STEP * top, STEP * left
    seen = image[:, y : y + STEP * (height - 1) + FIELD, x : x + STEP * (width - 1) + FIELD]
    return Window(seen.contiguous(), on[top : top + height, left : left + width].clone())
