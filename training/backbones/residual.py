"""Residual networks pretrained on ImageNet: layer2 and layer3, as PatchCore takes them."""

import re
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from models.errors import InputError
from training.backbones.pooling import PooledFeatures
from training.state_dict import check_fits, read_state_dict

#: Layers of stride 8 and 16: 512 pixels give 64 x 64 and 32 x 32 cells.
SIDE = 512
CHANNELS = (512, 1024)

#: torchvision's networks, by its names, and the local one; each with torchvision's weights.
WEIGHTS = {
    "wide_resnet101_2": "IMAGENET1K_V1",  # what PatchCore's authors used, and the thesis
    "wide_resnet50_2": "IMAGENET1K_V1",
    "resnet50": "IMAGENET1K_V2",
    "resnet50-v1": None,  # the original release; torchvision has none
}
#: What need not be in a file: behind the features, or counts of training's batches.
_UNUSED = re.compile(r"^(layer4|fc)\.|\.num_batches_tracked$")


class Layers(nn.Module):
    """(N, 3, 8 h, 8 w) to layer2's (N, 512, h, w) and layer3's (N, 1024, h / 2, w / 2)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        parts = ("conv1", "bn1", "relu", "maxpool", "layer1")
        self.stem = nn.Sequential(*(net.get_submodule(part) for part in parts))
        self.layer2 = net.get_submodule("layer2")
        self.layer3 = net.get_submodule("layer3")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine: Tensor = self.layer2(self.stem(images))
        return fine, self.layer3(fine)


def residual(name: str, weights: Path | None, channels: int) -> PooledFeatures:
    """Load a residual network of ``WEIGHTS``, from a file or through torchvision.

    Raises ``InputError`` if the file is missing or of another network, or if torchvision has no
    weights here and cannot download them.
    """
    from torchvision import models  # takes seconds, and training a bundle needs none

    with torch.device("meta"):  # random weights would take longer than to load the right ones
        net: nn.Module = models.get_model(name.removesuffix("-v1"), weights=None)
    if name.endswith("-v1"):
        _as_released(net)
    state = _downloaded(name) if weights is None else read_state_dict(weights)
    state = {key: value for key, value in state.items() if not _UNUSED.search(key)}
    wanted = {k: v for k, v in net.state_dict().items() if not _UNUSED.search(k)}
    check_fits(state, wanted, f"{weights or 'torchvision'}: not a {name}")
    counts = {k: torch.tensor(0) for k in net.state_dict() if k.endswith("num_batches_tracked")}
    net.load_state_dict({**state, **counts}, strict=False, assign=True)
    return PooledFeatures(Layers(net), CHANNELS, channels, SIDE)


def _as_released(net: nn.Module) -> None:
    """Change torchvision's ResNet-50 to v1: strides in the first 1 x 1 convolutions."""
    for layer in ("layer2", "layer3"):
        net.get_submodule(f"{layer}.0.conv1").stride = (2, 2)  # type: ignore[assignment]
        net.get_submodule(f"{layer}.0.conv2").stride = (1, 1)  # type: ignore[assignment]
    net.maxpool = nn.MaxPool2d(3, 2, padding=0, ceil_mode=True)


def _downloaded(name: str) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    if (version := WEIGHTS[name]) is None:
        raise InputError(f"{name}: nobody to download it from; give its file as --backbone-weights")
    entry = get_model_weights(name)[version]
    try:
        state: dict[str, Tensor] = entry.get_state_dict(progress=True, check_hash=True)
    except (URLError, TimeoutError, ConnectionError) as error:
        raise InputError(
            f"{name}: no network ({getattr(error, 'reason', error)}); download {entry.url}"
            " elsewhere and give the file as --backbone-weights"
        ) from error
    return state
