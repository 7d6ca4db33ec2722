"""The autoencoder is the thesis' table 5.4."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from models.autoencoder import autoencoder

#: Layer, stride, kernel, kernels, padding, activation.
CONVOLUTIONS = """
EncConv-1 2 4 32 1 ReLU
EncConv-2 2 4 32 1 ReLU
EncConv-3 2 4 64 1 ReLU
EncConv-4 2 4 64 1 ReLU
EncConv-5 2 4 64 1 ReLU
EncConv-6 1 8 64 0 -
DecConv-1 1 4 64 2 ReLU
DecConv-2 1 4 64 2 ReLU
DecConv-3 1 4 64 2 ReLU
DecConv-4 1 4 64 2 ReLU
DecConv-5 1 4 64 2 ReLU
DecConv-6 1 4 64 2 ReLU
DecConv-7 1 3 64 1 ReLU
DecConv-8 1 3 384 1 -
"""
ORDER = (
    "Enc ReLU " * 5
    + "Enc "
    + "Bilinear Dec ReLU Dropout " * 6  # Bilinear-1 to 6
    + "Bilinear Dec ReLU Dec"  # Bilinear-7, DecConv-7, DecConv-8
)


def name(layer: nn.Module, place: int) -> str:
    if isinstance(layer, nn.Conv2d):
        return "Enc" if place <= 10 else "Dec"
    return {nn.ReLU: "ReLU", nn.Upsample: "Bilinear", nn.Dropout: "Dropout"}[type(layer)]


def test_layers_come_in_the_tables_order() -> None:
    with torch.device("meta"):
        net = autoencoder()
    assert " ".join(name(layer, place) for place, layer in enumerate(net)) == ORDER
    assert {layer.p for layer in net if isinstance(layer, nn.Dropout)} == {0.2}
    assert {
        (layer.mode, layer.align_corners) for layer in net if isinstance(layer, nn.Upsample)
    } == {("bilinear", False)}


def test_convolutions_are_the_tables() -> None:
    with torch.device("meta"):
        layers = [*autoencoder(), nn.Identity()]
    rows = []
    for layer, after in pairwise(layers):
        if isinstance(layer, nn.Conv2d):
            sizes = layer.stride[0], layer.kernel_size[0], layer.out_channels, layer.padding[0]
            rows.append([*map(str, sizes), "ReLU" if isinstance(after, nn.ReLU) else "-"])
    assert rows == [line.split()[1:] for line in CONVOLUTIONS.split("\n")[1:-1]]


@pytest.mark.parametrize(("padding", "side"), [(False, 56), (True, 64)])
def test_feature_maps_are_resized_as_the_table_says(padding: bool, side: int) -> None:
    net = autoencoder(padding=padding).eval()
    resized: list[tuple[int, int]] = []

    def see(_: nn.Module, given: tuple[Tensor], made: Tensor) -> None:
        assert given[0].shape[-1] == given[0].shape[-2]
        assert made.shape[-1] == made.shape[-2]
        resized.append((given[0].shape[-1], made.shape[-1]))

    for layer in net:
        if isinstance(layer, nn.Upsample):
            layer.register_forward_hook(see)
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 256, 256)).shape == (1, 384, side, side)
    to = [(1, 3), (4, 8), (9, 15), (16, 32), (33, 63), (64, 127), (128, side)]
    assert resized == to


def test_parameter_count() -> None:
    with torch.device("meta"):
        net = autoencoder()
    assert sum(p.numel() for p in net.parameters()) == 1_096_320


def test_all_passes_through_64_values() -> None:
    with torch.inference_mode():
        encoded = autoencoder()[:11](torch.randn(1, 3, 256, 256))
    assert encoded.shape == (1, 64, 1, 1)
