"""PatchCore's features, as PatchCore's chain gives them step by step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from training.backbones.pooling import PooledFeatures, patchcore_kernels, pooling_matrix


def patches(features: Tensor) -> Tensor:
    """(N, C, h, w) to (N, h, w, C, 3, 3): each position's neighbourhood, as PatchCore unfolds."""
    count, channels, height, width = features.shape
    unfolded = functional.unfold(features, 3, padding=1)
    return unfolded.reshape(count, channels, 3, 3, height, width).permute(0, 4, 5, 1, 2, 3)


def enlarged(neighbourhoods: Tensor, height: int, width: int) -> Tensor:
    """Bring the coarser layer's patches to the finer grid, bilinear, before any pooling."""
    count, h, w, channels, _, _ = neighbourhoods.shape
    planes = neighbourhoods.permute(0, 3, 4, 5, 1, 2).reshape(count, -1, h, w)
    resized = functional.interpolate(
        planes, size=(height, width), mode="bilinear", align_corners=False
    )
    shape = count, channels, 3, 3, height, width
    return resized.reshape(shape).permute(0, 4, 5, 1, 2, 3)


def patchcore(layers: list[Tensor], per_layer: int, outputs: int) -> Tensor:
    """The preprocessing and aggregation of PatchCore: (N, outputs, h, w)."""
    count, _, height, width = layers[0].shape
    fine, *coarser = (patches(layer) for layer in layers)
    pooled = [
        functional.adaptive_avg_pool1d(
            neighbourhoods.reshape(count * height * width, 1, -1), per_layer
        )[:, 0]
        for neighbourhoods in (fine, *(enlarged(c, height, width) for c in coarser))
    ]
    stacked = torch.stack(pooled, dim=1).reshape(count * height * width, 1, -1)
    found = functional.adaptive_avg_pool1d(stacked, outputs)[:, 0]
    return found.reshape(count, height, width, outputs).permute(0, 3, 1, 2)


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300))
def test_the_matrix_is_the_adaptive_pool(inputs: int, outputs: int) -> None:
    every = torch.eye(inputs)[:, None]
    expected = functional.adaptive_avg_pool1d(every, outputs)[:, 0].T
    torch.testing.assert_close(pooling_matrix(inputs, outputs), expected)


@pytest.mark.parametrize(("inputs", "per_map", "outputs"), [(8, 16, 6), (7, 20, 5), (40, 64, 9)])
def test_a_kernel_is_both_pools(inputs: int, per_map: int, outputs: int) -> None:
    features = torch.randn(2, inputs, 6, 5)
    (kernel,) = patchcore_kernels([inputs], outputs, per_map)
    assert kernel.shape == (outputs, inputs, 3, 3)
    found = functional.conv2d(features, kernel, padding=1)
    torch.testing.assert_close(found, patchcore([features], per_map, outputs), rtol=1e-4, atol=1e-6)


class Two(nn.Module):
    """Two maps, the second of half the size and twice the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 24, 4, stride=2, padding=1)
        self.coarse = nn.Conv2d(24, 48, 2, stride=2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(images)
        return fine, self.coarse(fine)


@pytest.mark.parametrize("channels", [384, 129, 1, 2500])
def test_maps_are_pooled_before_the_coarser_is_enlarged(channels: int) -> None:
    """PatchCore enlarges first: both are linear, and act on different axes.

    An odd number of channels has one that is of both maps.
    """
    maps = Two()
    images = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        found = PooledFeatures(maps, [24, 48], channels, side=16)(images)
        expected = patchcore(list(maps(images)), per_layer=1024, outputs=channels)
    assert found.shape == (1, channels, 8, 8)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_under_autocast_features_are_float32() -> None:
    backbone = PooledFeatures(Two(), [24, 48], 10, side=16)
    images = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        plain = backbone(images)
        with torch.autocast("cpu", torch.bfloat16):
            found = backbone(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain, rtol=0.1, atol=0.02)
