"""A running average of weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of the parameters of networks.

    After n steps the decay is at most n / (n + 9), so that the first weights, which are random,
    are soon forgotten.
    """

    def __init__(self, nets: Sequence[nn.Module], decay: float) -> None:
        self._parameters: list[Tensor] = [p for net in nets for p in net.parameters()]
        self._decay = decay
        self.values: list[Tensor] = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the weights after so many steps."""
        decay = min(self._decay, steps / (steps + 9))
        if self.values:
            torch._foreach_lerp_(self.values, self._parameters, 1 - decay)

    @torch.no_grad()
    def exchange(self) -> None:
        """Exchange the networks' weights and their average."""
        for mine, parameter in zip(self.values, self._parameters, strict=True):
            held = parameter.clone()
            parameter.copy_(mine)
            mine.copy_(held)

    @torch.no_grad()
    def load(self, values: Sequence[Tensor]) -> None:
        """Go on from the average of an earlier run."""
        for mine, value in zip(self.values, values, strict=True):
            mine.copy_(value)
