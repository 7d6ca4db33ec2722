"""How many directions each layer keeps: error is spent where it saves most operations."""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from torch import nn

from training.reduction.factors import RANK_STEP, Directions


class Ranks(NamedTuple):
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Choice:
    """A layer and the directions around it."""

    layer: nn.Conv2d
    inputs: Directions
    outputs: Directions | None  # None: all of them stay
    places: float  # at which a tile runs it

    def best(self, price: float) -> Ranks:
        """Give the ranks that cost least, a multiplication at a ``price`` of the maps' energy."""
        inputs, outputs = self.layer.in_channels, self.layer.out_channels
        options = (_ranks(inputs), [outputs] if self.outputs is None else _ranks(outputs))
        return min((Ranks(*pair) for pair in product(*options)), key=lambda r: self._cost(r, price))

    def _cost(self, ranks: Ranks, price: float) -> float:
        lost = float(self.inputs.lost[ranks.inputs])
        if self.outputs is not None:
            lost += float(self.outputs.lost[ranks.outputs])
        return lost + price * self.places * self._products(ranks)

    def _products(self, ranks: Ranks) -> int:
        """Count the multiplications at one place."""
        layer = self.layer
        found = ranks.inputs * ranks.outputs * layer.kernel_size[0] * layer.kernel_size[1]
        if ranks.inputs < layer.in_channels:
            found += layer.in_channels * ranks.inputs
        if ranks.outputs < layer.out_channels:
            found += ranks.outputs * layer.out_channels
        return found


def _ranks(channels: int) -> list[int]:
    return [*range(RANK_STEP, channels, RANK_STEP), channels]
