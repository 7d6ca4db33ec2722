"""Injection: at times an anomaly of the chosen kind, in a good tile."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from training.natural import NaturalTiles
from training.settings import Synthetic
from training.synthetic.anomaly import Anomaly, anomaly
from training.synthetic.cut_paste import cut_paste
from training.synthetic.foreground import Image, foreground
from training.synthetic.noise import noise
from training.synthetic.perlin import perlin
from training.synthetic.textures import distorted

_TRIES = 5


@dataclass(frozen=True)
class Injection:
    """Puts anomalies into good tiles.

    ``other`` gives a random other good tile, (3, 256, 256). ``natural`` gives the textures of
    ``perlin``; without it they are distorted good tiles.
    """

    kind: Synthetic
    probability: float
    other: Callable[[np.random.Generator], Tensor]
    natural: NaturalTiles | None = None

    def __call__(self, tile: Tensor, random: np.random.Generator) -> Anomaly | None:
        """Give a tile (3, 256, 256) in [0, 1] an anomaly, or None by chance or where none shows."""
        if random.random() >= self.probability:
            return None
        good = _image(tile)
        part = foreground(good)
        for _ in range(_TRIES):
            match self.kind:
                case Synthetic.NOISE:
                    spoilt = noise(good, part, random)
                case Synthetic.CUT_PASTE:
                    spoilt = cut_paste(good, part, lambda: _image(self.other(random)), random)
                case Synthetic.PERLIN:
                    spoilt = perlin(good, part, lambda: self._texture(random), random)
            found = anomaly(good, spoilt)
            if found.visible.any():
                return found
        return None

    def _texture(self, random: np.random.Generator) -> Image:
        if self.natural is not None:
            return _image(self.natural.tile(random))
        return distorted(_image(self.other(random)), random)


def _image(tile: Tensor) -> Image:
    """(3, H, W) to (H, W, 3)."""
    image: Image = tile.permute(1, 2, 0).contiguous().numpy()
    return image
