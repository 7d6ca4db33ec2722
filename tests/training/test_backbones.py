"""PatchCore's features, as PatchCore's chain gives them step by step."""

import ast
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50

from models.errors import InputError
from models.weights import write_weights
from training import backbones
from training.backbones import PooledFeatures, patchcore_pooling, resnet50_v1


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


@pytest.mark.parametrize(("inputs", "per_layer", "outputs"), [(8, 16, 6), (7, 20, 5), (40, 64, 9)])
def test_the_kernel_is_both_pools(inputs: int, per_layer: int, outputs: int) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, inputs, 6, 5)
    kernel = patchcore_pooling(inputs, outputs, per_layer)
    assert kernel.shape == (outputs, inputs, 3, 3)
    found = functional.conv2d(features, kernel, padding=1)
    torch.testing.assert_close(
        found, patchcore([features], per_layer, outputs), rtol=1e-4, atol=1e-6
    )


def test_two_layers_are_pooled_before_the_coarser_is_enlarged() -> None:
    """PatchCore enlarges first: both are linear, and act on different axes."""
    torch.manual_seed(0)
    layer2 = nn.Conv2d(3, 512, 4, stride=2, padding=1)
    layer3 = nn.Conv2d(512, 1024, 2, stride=2)
    images = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        fine = layer2(images)
        found = PooledFeatures(nn.Identity(), layer2, layer3)(images)
        expected = patchcore([fine, layer3(fine)], per_layer=1024, outputs=384)
    assert found.shape == (1, 384, 8, 8)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_resnet_50_gives_the_teachers_grid(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "resnet.safetensors"
    state = {k: v for k, v in resnet50().state_dict().items() if not k.startswith("layer4")}
    write_weights(path, {k: v for k, v in state.items() if not k.startswith("fc")}, {})
    backbone = resnet50_v1(path)
    with torch.inference_mode():
        assert backbone(torch.zeros(1, 3, 128, 128)).shape == (1, 384, 16, 16)
    for layer in (backbone.layer2, backbone.layer3):  # v1: the first convolution strides
        assert layer.get_submodule("0.conv1").stride == (2, 2)
        assert layer.get_submodule("0.conv2").stride == (1, 1)
    assert not any(p.requires_grad for p in backbone.parameters())


def test_the_backbone_that_teachers_are_distilled_from(data: Path) -> None:
    """Its file has no counts of batches, and no layer behind the features."""
    path = data.parent / "weights" / "resnet50_layer1-3.safetensors"
    if not path.exists():
        pytest.skip(f"no {path}")
    resnet50_v1(path)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (None, "no readable safetensors file"),
        ({"conv1.weight": (64, 3, 7, 7)}, "not a ResNet-50; weight 'bn1.bias' is missing"),
        ({"bn1.bias": (7,)}, "not a ResNet-50; weight 'bn1.bias' is missing or does not fit"),
    ],
)
def test_another_file_is_refused_in_one_line(
    tmp_path: Path, weights: dict[str, tuple[int, ...]] | None, said: str
) -> None:
    path = tmp_path / "file"
    if weights is not None:
        write_weights(path, {key: torch.zeros(shape) for key, shape in weights.items()}, {})
    with pytest.raises(InputError, match=rf"^/[^\n]*{said}[^\n]*$"):
        resnet50_v1(path)


def test_torchvision_is_imported_for_a_backbone_alone() -> None:
    """It takes seconds, which would be ``effad-train run``'s."""
    for path in Path(backbones.__file__).parent.glob("*.py"):
        imported = [
            statement.module if isinstance(statement, ast.ImportFrom) else statement.names[0].name
            for statement in ast.parse(path.read_text()).body
            if isinstance(statement, ast.ImportFrom | ast.Import)
        ]
        assert not [name for name in imported if name and name.startswith("torchvision")], path
