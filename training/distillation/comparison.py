"""How far a network is from a backbone's features, standardized a channel (algorithm 1)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detector import InputNorm
from models.precision import Precision, autocast
from training.distillation.targets import Batch
from training.statistics import channel_statistics


class Comparison:
    """Mean and deviation of the features' channels, both (C,), and the loss that rests on them."""

    def __init__(self, channels: int, precision: Precision, device: torch.device) -> None:
        self.mean = torch.zeros(channels, device=device)
        self.std = torch.ones(channels, device=device)
        self._norm = InputNorm().to(device)
        self._bf16 = precision is Precision.BF16
        self._device = device.type

    def measure(self, batches: Iterable[Batch]) -> None:
        """Set mean and deviation to those of all cells (steps 5 to 11)."""
        mean, std = channel_statistics(batch.features.permute(0, 3, 1, 2) for batch in batches)
        self.mean.copy_(mean)
        self.std.copy_(std)

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """Give the mean squared error (steps 21 to 24): 1 is knowing nothing."""
        images = self._norm(batch.tiles).contiguous(memory_format=torch.channels_last)
        with autocast(self._device, enabled=self._bf16):
            found = net(images)
        target = (batch.features - self.mean) / self.std
        return functional.mse_loss(found.float().permute(0, 2, 3, 1), target)

    @torch.no_grad()
    def mean_loss(self, net: nn.Module, batches: Iterable[Batch]) -> float:
        """Give the loss over all views of some batches."""
        each = [(len(batch.tiles), self.loss(net, batch).item()) for batch in batches]
        return sum(count * loss for count, loss in each) / sum(count for count, _ in each)
