"""The axes along which a map's channels differ, so that few of them make the map."""

from typing import NamedTuple

import torch
from torch import Tensor

from training.reduction.factors import RANK_STEP
from training.reduction.moments import Moment


class Axes(NamedTuple):
    """The first principal axes of a map's difference."""

    axes: Tensor  # (channels, k), orthonormal columns
    share: float  # of the map's energy that lies along them, on average

    def turned(self, weight: Tensor) -> Tensor:
        """Give a last layer's weight or bias, (channels, ...), so that it gives the axes.

        The sum of its squares is the mean of those of all channels; what the axes do not hold is
        made up for on average.
        """
        axes = self.axes / (self.share * len(self.axes)) ** 0.5
        return torch.einsum("ck,c...->k...", axes, weight.double())


def find_axes(difference: Moment, feature: Moment, energy: float) -> Axes:
    """Give the axes that hold a share of a map's energy, by the moments of good parts.

    What a defect adds is not known. It lies where the differences on good parts lie, or where the
    features do that the student has to follow: both count the same.
    """
    parts = [difference.relative(), feature.relative()]
    turned = torch.linalg.eigh(torch.stack(parts).sum(dim=0))[1].flip(1)
    along = torch.stack([torch.einsum("ck,cd,dk->k", turned, p, turned) for p in parts])
    share = along.cumsum(dim=1).clamp(max=1).min(dim=0).values
    needed = int((share < energy).sum()) + 1
    count = min(-(-needed // RANK_STEP) * RANK_STEP, len(share))
    return Axes(turned[:, :count], float(share[count - 1]))
