"""Mean and deviation of feature channels over all cells (thesis algorithm 1, steps 5 to 11)."""

from collections.abc import Iterable

import torch
from torch import Tensor


def channel_statistics(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Give mean and deviation of each channel, both (C,) float64, over batches (N, C, h, w).

    The deviation is from the mean of all cells, not an average of each batch's own. Sums in
    float64 lose nothing that a second pass would find.
    """
    count = 0
    total = squares = torch.zeros((), dtype=torch.float64)
    for features in batches:
        features = features.double()
        count += features.numel() // features.shape[1]
        total = total + features.sum(dim=(0, 2, 3))
        squares = squares + features.square().sum(dim=(0, 2, 3))
    mean = total / count
    return mean, (squares / count - mean.square()).clamp(min=1e-12).sqrt()
