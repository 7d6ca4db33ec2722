"""PatchCore's features of a network's maps (thesis 4.3), and what a distillation needs of them.

Each cell's 3 x 3 neighbourhood in a map is pooled to 1024 values, and those of all maps together
to the teacher's channels. All of it is linear and fixed, so here it is one convolution a map.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Side of the features that every backbone gives for its own input's side. A padded PDN gives as
#: many cells for a tile of 256 x 256.
GRID = 64


class Backbone(Protocol):
    """(N, 3, side, side) RGB, normalized by ``InputNorm``, to (N, channels, 64, 64) features."""

    side: int  # pixels
    channels: int

    def __call__(self, images: Tensor) -> Tensor: ...


def pooling_matrix(inputs: int, outputs: int) -> Tensor:
    """Give ``adaptive_avg_pool1d`` from so many values to so many, as (outputs, inputs)."""
    matrix = torch.zeros(outputs, inputs)
    for row in range(outputs):
        first, last = row * inputs // outputs, -(-(row + 1) * inputs // outputs)
        matrix[row, first:last] = 1 / (last - first)
    return matrix


def patchcore_kernels(inputs: Sequence[int], outputs: int, per_map: int = 1024) -> list[Tensor]:
    """Give PatchCore's two pools as a kernel of shape (outputs, channels, 3, 3) for each map.

    ``inputs``: channels of each map. Features are the sum of the maps' convolutions. The
    neighbourhood is flattened channel by channel, as PatchCore's unfolding does.
    """
    joint = pooling_matrix(len(inputs) * per_map, outputs).view(outputs, len(inputs), per_map)
    return [
        (joint[:, number] @ pooling_matrix(channels * 9, per_map)).view(outputs, channels, 3, 3)
        for number, channels in enumerate(inputs)
    ]


class PooledFeatures(nn.Module):
    """A backbone: maps of a network, finest first, pooled to channels on the first one's grid.

    ``maps``: images (N, 3, side, side) to maps (N, c, h, w), as many as ``inputs`` names their c.
    """

    def __init__(self, maps: nn.Module, inputs: Sequence[int], channels: int, side: int) -> None:
        super().__init__()
        self.maps = maps
        self.channels = channels
        self.side = side
        #: The features that a map has a part in; the others' kernels would be zero.
        self._rows: list[slice] = []
        for number, kernel in enumerate(patchcore_kernels(inputs, channels)):
            rows = kernel.flatten(1).any(dim=1).nonzero().flatten()
            self._rows.append(slice(int(rows[0]), int(rows[-1]) + 1))
            # Derived, not learned: in no state_dict.
            self.register_buffer(f"kernel{number}", kernel[self._rows[-1]], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.maps(images)
        size = maps[0].shape[-2:]
        shape = len(images), self.channels, *size
        features = torch.zeros(shape, device=images.device)
        for number, (rows, values) in enumerate(zip(self._rows, maps, strict=True)):
            kernel = self.get_buffer(f"kernel{number}").to(values.dtype)
            pooled = functional.conv2d(values, kernel, padding=1).float()
            # Pooling runs over channels and interpolation over positions: they commute.
            if pooled.shape[-2:] != size:
                pooled = functional.interpolate(
                    pooled, size=size, mode="bilinear", align_corners=False
                )
            features[:, rows] += pooled
        return features
