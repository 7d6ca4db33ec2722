"""A trained detector made thin: what engines compute with, but for the reference."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.detector import Detector, off_by
from models.passes import laid
from models.precision import TOLERANCE, Precision, autocast
from models.reduced import Reduced
from training.reduction.reduction import Reduction
from training.reduction.stimuli import colours, spoilt

#: Price and energy (``Reduction.reduced``): the first that keep the maps are taken.
TRIED = (
    (2e-12, 0.97),
    (1e-12, 0.97),
    (3e-13, 0.97),
    (3e-13, 0.985),
    (1e-13, 0.995),
    (1e-14, 0.999),
)
#: Of an engine's tolerance, what a thin detector may use in fp32. In bf16 whole layers use as much
#: again, and so may these, but for the reference frame, which every engine is held against.
SHARE = 0.7
REFERENCE_SHARE = 0.9
_CHECKED = 6  # tiles of each kind that the maps are compared on


class Thin(NamedTuple):
    """A reduced detector, and how far its maps were off in fp32, as shares of their largest."""

    reduced: Reduced
    off: float


def reduce(detector: Detector, tiles: Sequence[Tensor], reference: Sequence[Tensor]) -> Thin | None:
    """Make a detector thin by tiles of good parts, (3, 256, 256) in [0, 1].

    It is the thinnest of those tried whose maps stay within their share of an engine's tolerance
    on some of the tiles, as they are and spoilt, and on those of the ``reference`` frame, which
    each engine will be held against. None where none does.
    """
    device = detector.norm.mean.device
    random, signs = np.random.default_rng(0), torch.Generator().manual_seed(0)
    reduction = Reduction(detector)
    for tile in tiles:
        reduction.add(laid(tile[None].to(device)), signs)
        reduction.add_colours(laid(colours(random)[None].to(device)), signs)
    seen = _spread(tiles)
    checks = [
        _Check(detector, laid(tile[None].to(device)), bf16=bf16)
        for bf16, shown in (
            (True, _spread(reference)),
            (False, (*seen, *(spoilt(t, random) for t in seen))),
        )
        for tile in shown
    ]
    for price, energy in TRIED:
        reduced = reduction.reduced(price, energy).to(device)
        reduced = reduced.to(memory_format=torch.channels_last)
        if all(check.keeps(reduced) for check in checks):
            return Thin(reduced, max(check.off for check in checks if not check.bf16))
    return None


class _Check:
    """A tile's maps by the whole detector, and how far the last reduced one was off."""

    def __init__(self, detector: Detector, tile: Tensor, *, bf16: bool) -> None:
        with torch.inference_mode():
            self._wanted = detector(tile)
        self._tile = tile
        self.bf16 = bf16
        self.off = 0.0

    def keeps(self, reduced: Reduced) -> bool:
        device = self._tile.device.type
        with torch.inference_mode(), autocast(device, enabled=self.bf16):
            found = reduced(self._tile)
        self.off = off_by(found, self._wanted)
        share = REFERENCE_SHARE if self.bf16 else SHARE
        return self.off <= share * TOLERANCE[Precision.BF16]


def _spread(tiles: Sequence[Tensor]) -> list[Tensor]:
    count = min(_CHECKED, len(tiles))
    return [tiles[n * len(tiles) // count] for n in range(count)]
