"""A convolution as a product of thinner ones, chosen by what it sees and what the maps feel.

Of its inputs and of its outputs those directions are kept that matter: a Tucker-2 decomposition
(Kim et al., 2016), with factors fitted to data and not to weights (Zhang et al., 2016).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.reduction.moments import Point

#: Ranks are whole multiples: what processors' matrix units take at once.
RANK_STEP = 16


@dataclass(frozen=True)
class Onto:
    """Projections of a point's values onto fewer directions: x becomes ``up @ down @ x``."""

    down: Tensor  # (rank, channels)
    up: Tensor  # (channels, rank)


class Directions:
    """The directions at a point by how much the maps feel them.

    ``lost``: (channels + 1,), what is lost of the maps' energy, as a share, if so many are kept;
    from the singular values of F^(1/2) V^(1/2), with V the moment of the values and F what is felt
    of them: to first order, and were the values of neighbouring places independent.
    """

    def __init__(self, point: Point, tiles: float) -> None:
        felt, felt_inverse = _roots(point.felt.sum / tiles)
        values, values_inverse = _roots(point.values.mean())
        u, s, v = torch.linalg.svd(felt @ values)
        root = s.sqrt()
        self._down = root[:, None] * v @ values_inverse
        self._up = felt_inverse @ u * root
        tails = s.square().flip(0).cumsum(0).flip(0)
        self.lost = torch.cat([tails, tails.new_zeros(1)])

    def onto(self, rank: int) -> Onto | None:
        """Give the projection onto the first directions; None: onto all of them."""
        if rank >= len(self._down):
            return None
        # Any mix of the directions gives the same projection; orthonormal ones round best.
        q, r = torch.linalg.qr(self._down[:rank].T)
        return Onto(q.T, self._up[:, :rank] @ r.T)


def product(layer: nn.Conv2d, inputs: Onto | None, outputs: Onto | None) -> nn.Module:
    """Give the thinner convolutions that stand for a layer, or the layer."""
    weight, bias = layer.weight.double(), None if layer.bias is None else layer.bias.double()
    found: list[nn.Conv2d] = []
    if inputs is not None:
        found.append(pointwise(inputs.down))
        weight = projected(weight, inputs)
    if outputs is None:
        found.append(convolution(weight, bias, layer))
    else:
        thin = torch.einsum("ro,okyx->rkyx", outputs.down, weight)
        thin_bias = None if bias is None else outputs.down @ bias
        found += [convolution(thin, thin_bias, layer), pointwise(outputs.up)]
    return found[0] if len(found) == 1 else nn.Sequential(*found)


def convolution(weight: Tensor, bias: Tensor | None, like: nn.Conv2d | None = None) -> nn.Conv2d:
    """Give a convolution of weight (outputs, inputs, h, w), padded and stepped as another."""
    outputs, inputs, *kernel = weight.shape
    stride, padding = ((1, 1), (0, 0)) if like is None else (like.stride, like.padding)
    layer = nn.Conv2d(inputs, outputs, tuple(kernel), stride, padding, bias=bias is not None)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)  # type: ignore[union-attr]
    return layer.requires_grad_(False)


def pointwise(matrix: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """Give the convolution of one pixel that a matrix, (outputs, inputs), is."""
    return convolution(matrix[:, :, None, None], bias)


def projected(weight: Tensor, inputs: Onto) -> Tensor:
    """Give a layer's weight over the inputs that ``inputs.down`` gives."""
    return torch.einsum("okyx,kr->oryx", weight.double(), inputs.up)


def _roots(moment: Tensor) -> tuple[Tensor, Tensor]:
    """Give the square root of a moment and its pseudo-inverse."""
    along, axes = torch.linalg.eigh(moment)
    root = along.clamp(min=0).sqrt()
    inverse = torch.where(along > along.max() * 1e-12, 1 / root, 0.0)
    return axes * root @ axes.T, axes * inverse @ axes.T
