"""A backbone of one convolution, which any machine computes at once."""

import torch
from torch import Tensor, nn

CPU = torch.device("cpu")
CHANNELS = 6


class Patches(nn.Module):
    """A backbone: (N, 3, 256, 256) to (N, 6, 64, 64), each cell of its own 4 x 4 pixels."""

    side = 256
    channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Conv2d(3, CHANNELS, 4, stride=4).requires_grad_(False)
        self.images = 0  # seen in all

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        found: Tensor = self.net(images)
        return found
