"""Natural images, which show no part: for L_OOD, and as textures."""

from pathlib import Path

import numpy as np
from torch import Tensor
from torch.nn import functional

from models.geometry import TILE
from models.images import find_images, read_rgb, to_tensor

#: Probability that one is grey, as in distillation: many cameras of a line are monochrome.
GRAYSCALE = 0.3


class NaturalTiles:
    """Random squares of the images of a folder.

    Raises ``InputError`` if the folder holds none, and where one cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = find_images(folder)

    @property
    def names(self) -> list[str]:
        return [path.name for path in self._paths]

    def tile(self, random: np.random.Generator) -> Tensor:
        """Give (3, 256, 256) float32 RGB in [0, 1]."""
        rgb = read_rgb(self._paths[int(random.integers(len(self._paths)))])
        side = min(rgb.shape[:2])
        top, left = (int(random.integers(n - side + 1)) for n in rgb.shape[:2])
        square = to_tensor(rgb[top : top + side, left : left + side].copy())
        tile = functional.interpolate(
            square[None], (TILE, TILE), mode="bilinear", align_corners=False, antialias=True
        )[0]
        if random.random() < GRAYSCALE:
            tile = tile.mean(dim=0, keepdim=True).expand(3, -1, -1).contiguous()
        return tile
