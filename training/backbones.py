"""Pretrained networks whose features a teacher is distilled from, behind PatchCore's pooling.

Thesis 4.3: a 3 x 3 neighbourhood of each cell of two layers is pooled to 1024 values a layer and
both to 384. All of it is linear and fixed, so here it is one convolution a layer.
"""

import re
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import InputError
from models.pdn import CHANNELS
from models.weights import read_weights

#: Side of a backbone's input and of its feature maps.
INPUT = 512
FEATURES = 64


class Backbone(Protocol):
    """(N, 3, 512, 512) normalized RGB to (N, 384, 64, 64) features."""

    def __call__(self, images: Tensor) -> Tensor: ...


def patchcore_pooling(inputs: int, outputs: int, per_layer: int = 1024) -> Tensor:
    """Give PatchCore's two adaptive average pools as a kernel of shape (outputs, inputs, 3, 3).

    The neighbourhood is flattened channel by channel, as PatchCore's unfolding does.
    """
    every = torch.eye(inputs * 9)
    pooled = functional.adaptive_avg_pool1d(every[:, None], per_layer)
    pooled = functional.adaptive_avg_pool1d(pooled, outputs)[:, 0]
    return pooled.T.reshape(outputs, inputs, 3, 3).contiguous()


class PooledFeatures(nn.Module):
    """layer2 and layer3 of a residual network, pooled to 384 channels on layer2's grid."""

    pool2: Tensor
    pool3: Tensor

    def __init__(self, stem: nn.Module, layer2: nn.Module, layer3: nn.Module) -> None:
        super().__init__()
        self.stem, self.layer2, self.layer3 = stem, layer2, layer3
        self.register_buffer("pool2", patchcore_pooling(512, CHANNELS // 2), persistent=False)
        self.register_buffer("pool3", patchcore_pooling(1024, CHANNELS // 2), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.layer2(self.stem(images))
        coarse = self.layer3(fine)
        fine = functional.conv2d(fine, self.pool2.to(fine.dtype), padding=1).float()
        # Pooling runs over channels and interpolation over positions: they commute.
        coarse = functional.conv2d(coarse, self.pool3.to(coarse.dtype), padding=1).float()
        coarse = functional.interpolate(
            coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False
        )
        return torch.cat([fine, coarse], dim=1)


#: Weights that a file may leave out: behind the features, or counts of training's batches.
_UNUSED = re.compile(r"^(layer4|fc)\.|\.num_batches_tracked$")


def resnet50_v1(path: Path) -> PooledFeatures:
    """Load ImageNet's original ResNet-50 (v1: strides in the first 1 x 1 convolutions).

    Raises ``InputError`` if the file is missing or is no such network.
    """
    from torchvision.models import resnet50  # takes seconds, and training a bundle needs none

    net = resnet50(weights=None)
    for layer in (net.layer2, net.layer3):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    net.maxpool = nn.MaxPool2d(3, 2, padding=0, ceil_mode=True)
    state, _ = read_weights(path)
    wanted = {
        key: value.shape
        for key, value in net.state_dict().items()
        if key in state or not _UNUSED.search(key)
    }
    found = {key: value.shape for key, value in state.items()}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            raise InputError(f"{path}: not a ResNet-50; weight {key!r} is missing or does not fit")
    net.load_state_dict(state, strict=False)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    return PooledFeatures(stem, net.layer2, net.layer3).eval().requires_grad_(False)
