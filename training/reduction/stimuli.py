"""What a defect may bring and good parts lack: random colours, alone and in a part."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.geometry import TILE

_SPOTS = (32, 16, 8, 4, 2, 1)  # pixels a spot
_SQUARE = (TILE // 16, 3 * TILE // 8 + 1)  # pixels, the last left out


def colours(random: np.random.Generator) -> Tensor:
    """Draw a tile (3, 256, 256) in [0, 1] of random colours, in spots of a random size."""
    side = TILE // int(random.choice(_SPOTS))
    spots = torch.from_numpy(random.random((1, 3, side, side), dtype=np.float32))
    return F.interpolate(spots, size=(TILE, TILE), mode="bilinear", align_corners=False)[0]


def spoilt(tile: Tensor, random: np.random.Generator) -> Tensor:
    """Put a square of colours somewhere into a tile (3, 256, 256)."""
    side = int(random.integers(*_SQUARE))
    top, left = (int(random.integers(TILE - side + 1)) for _ in range(2))
    found = tile.clone()
    found[:, top : top + side, left : left + side] = colours(random)[:, :side, :side]
    return found
