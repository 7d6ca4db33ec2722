"""Residual networks and Vision Transformers with random weights, by name."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import get_model

from models.errors import InputError
from models.weights import write_weights
from training import backbones
from training.backbones.named import NAMES, backbone, fingerprint
from training.backbones.pooling import GRID, PooledFeatures
from training.backbones.residual import Layers
from training.backbones.vit import Blocks, vit


def torchvision_state(name: str) -> dict[str, Tensor]:
    """What torchvision's file of a network holds; each tensor is one number, repeated."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in get_model(name).state_dict().items()}
    return {
        key: ((0.5 + torch.rand(())) / max(1, shape[1:].numel())).expand(shape)
        for key, shape in shapes.items()
    }


@pytest.mark.parametrize("name", ["wide_resnet101_2", "wide_resnet50_2", "resnet50"])
def test_a_residual_network_gives_the_maps_of_torchvisions(name: str, tmp_path: Path) -> None:
    state = torchvision_state(name)
    file = tmp_path / "published.pth"
    torch.save(state, file)
    found = backbone(name, file, channels=30)
    with torch.device("meta"):
        net = get_model(name).eval()
    net.load_state_dict(state, assign=True)
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        fine = net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(images))))))
        for ours, expected in zip(found.maps(images), (fine, net.layer3(fine)), strict=True):
            assert torch.equal(ours, expected)
            assert 0 < ours.std() < float("inf")
        assert found(images).shape == (1, 30, 8, 8)
    assert found.side // 8 == GRID
    assert not any(p.requires_grad for p in found.parameters())
    assert not any(v.is_meta for v in (*found.parameters(), *found.buffers()))


def thin(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what lies behind the features, as the local file."""
    behind = ("layer4.", "fc.")
    return {
        k: v
        for k, v in state.items()
        if not k.startswith(behind) and not k.endswith("num_batches_tracked")
    }


def test_the_original_resnet_50_strides_in_its_first_convolutions(tmp_path: Path) -> None:
    path = tmp_path / "resnet.safetensors"
    write_weights(path, thin(torchvision_state("resnet50")), {})
    found = backbone("resnet50-v1", path)
    assert isinstance(found.maps, Layers)
    for layer in (found.maps.layer2, found.maps.layer3):
        assert layer.get_submodule("0.conv1").stride == (2, 2)
        assert layer.get_submodule("0.conv2").stride == (1, 1)
    with torch.inference_mode():
        assert found(torch.zeros(1, 3, 128, 128)).shape == (1, 384, 16, 16)


def test_the_backbone_that_teachers_are_distilled_from(data: Path) -> None:
    """Its file has no counts of batches, and no layer behind the features."""
    path = data.parent / "weights" / "resnet50_layer1-3.safetensors"
    if not path.exists():
        pytest.skip(f"no {path}")
    assert fingerprint(backbone("resnet50-v1", path)) == "ec88502125ef5eee"


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (None, "no readable safetensors file"),
        ({"conv1.weight": (64, 3, 7, 7)}, "not a resnet50-v1; weight 'bn1.bias' is missing"),
        ({"bn1.bias": (7,)}, r"weight 'bn1.bias' has shape \(7,\), not \(64,\)"),
        ({"another": (7,)}, "weight 'another' is none of its"),
    ],
)
def test_another_file_is_refused_in_one_line(
    tmp_path: Path, weights: dict[str, tuple[int, ...]] | None, said: str
) -> None:
    path = tmp_path / "file.safetensors"
    if weights is not None:
        write_weights(path, {key: torch.zeros(shape) for key, shape in weights.items()}, {})
    with pytest.raises(InputError, match=rf"^/[^\n]*{said}[^\n]*$"):
        backbone("resnet50-v1", path)


def dino(name: str) -> nn.Module:
    """A small Vision Transformer of random weights, as timm publishes it."""
    torch.manual_seed(0)
    net: nn.Module = timm.create_model(name, num_classes=0)
    return net


@pytest.mark.parametrize(
    ("name", "timms", "patch"),
    [
        ("dino_vits16", "vit_small_patch16_224.dino", 16),
        ("dino_vits8", "vit_small_patch8_224.dino", 8),
        ("dinov2_vits14", "vit_small_patch14_dinov2.lvd142m", 14),
        ("dinov2_vits14_reg", "vit_small_patch14_reg4_dinov2.lvd142m", 14),
    ],
)
def test_a_vision_transformer_gives_the_teachers_grid(
    name: str, timms: str, patch: int, tmp_path: Path
) -> None:
    path = tmp_path / "timm.pth"
    torch.save(dino(timms).state_dict(), path)
    found = backbone(name, path, channels=50)
    assert found.side == GRID * patch
    with torch.inference_mode():
        assert found(torch.randn(1, 3, 4 * patch, 6 * patch)).shape == (1, 50, 4, 6)


def test_maps_are_the_normalized_tokens_of_the_sixth_and_ninth_block(tmp_path: Path) -> None:
    """Block by block; a token stands for its own patch, row by row."""
    path = tmp_path / "timm.pth"
    torch.save(dino("vit_small_patch16_224.dino").state_dict(), path)
    found = backbone("dino_vits16", path)
    assert isinstance(found.maps, Blocks)
    net = found.maps.net
    images = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        tokens = net._pos_embed(net.patch_embed(images))
        expected = []
        for number, block in enumerate(net.blocks, start=1):
            tokens = block(tokens)
            if number in (6, 9):
                patches = net.norm(tokens)[:, 1:]
                expected.append(patches.transpose(1, 2).reshape(1, 384, 4, 6))
        for ours, plain in zip(found.maps(images), expected, strict=True):
            torch.testing.assert_close(ours, plain)
    assert len(net.blocks) == 9, "blocks behind the features are left out"


def test_positions_are_stretched_to_the_grid_once(tmp_path: Path) -> None:
    path = tmp_path / "timm.pth"
    published = dino("vit_small_patch16_224.dino").state_dict()
    torch.save(published, path)
    maps = backbone("dino_vits16", path).maps
    assert isinstance(maps, Blocks)
    first, grid = maps.net.pos_embed[:, :1], maps.net.pos_embed[0, 1:]
    assert torch.equal(first, published["pos_embed"][:, :1])
    assert grid.shape == (GRID * GRID, 384)
    plain = published["pos_embed"][0, 1:].T.reshape(1, 384, 14, 14)
    stretched = functional.interpolate(plain, size=(64, 64), mode="bicubic", antialias=True)
    torch.testing.assert_close(grid.T.reshape(1, 384, 64, 64), stretched)


def test_weights_of_another_patch_are_not_stretched_to_fit(tmp_path: Path) -> None:
    path = tmp_path / "timm.pth"
    torch.save(dino("vit_small_patch16_224.dino").state_dict(), path)
    with pytest.raises(InputError, match=r"timm.pth: not a dino_vits8; weight 'patch_embed"):
        vit("dino_vits8", path, 384)
    with pytest.raises(InputError, match="not a dinov2_vits14; weight"):
        vit("dinov2_vits14", path, 384)


def test_a_transformer_is_no_residual_network(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    write_weights(path, thin(torchvision_state("resnet50")), {})
    with pytest.raises(InputError, match=r"not a dino_vits16; weight 'patch_embed\.proj"):
        backbone("dino_vits16", path)


def test_without_a_network_a_line_says_what_to_fetch(tmp_path: Path) -> None:
    """The real libraries, offline: one process for both, since they read these when imported."""
    code = """
from models.errors import InputError
from training.backbones.named import backbone
for name in ("wide_resnet50_2", "dinov2_vits14", "resnet50-v1"):
    try:
        backbone(name)
    except InputError as error:
        print("said:", error)
"""
    nowhere = {"https_proxy": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    home = {"TORCH_HOME": str(tmp_path), "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **nowhere, **home},
    )
    residual, transformer, original = [
        line.removeprefix("said: ")
        for line in done.stdout.splitlines()
        if line.startswith("said: ")  # torchvision tells that it downloads
    ]
    assert residual.startswith("wide_resnet50_2: no network (")
    assert "wide_resnet50_2-" in residual
    assert residual.endswith(".pth elsewhere and give the file as --backbone-weights")
    assert transformer.startswith("dinov2_vits14: no network (")
    assert "timm/vit_small_patch14_dinov2.lvd142m" in transformer
    assert transformer.endswith("--backbone-weights")
    assert (
        original == "resnet50-v1: nobody to download it from; give its file as --backbone-weights"
    )


def test_names(tmp_path: Path) -> None:
    assert NAMES[0] == "wide_resnet101_2", "the thesis' default"
    with pytest.raises(InputError, match="resnet18: no such backbone; allowed are wide_"):
        backbone("resnet18", tmp_path)
    with pytest.raises(InputError, match="channels = 0: must be 1 or more"):
        backbone("resnet50", tmp_path, channels=0)


def test_a_fingerprint_is_of_the_weights() -> None:
    nets = [PooledFeatures(nn.Conv2d(3, 4, 2), [4], 8, side=16) for _ in range(2)]
    assert fingerprint(nets[0]) != fingerprint(nets[1])
    nets[1].load_state_dict(nets[0].state_dict())
    assert fingerprint(nets[0]) == fingerprint(nets[1])


def test_the_libraries_are_imported_for_a_backbone_alone() -> None:
    """They take seconds, which would be ``effad-train run``'s."""
    for path in Path(backbones.__file__).parent.glob("*.py"):
        imported = [
            statement.module if isinstance(statement, ast.ImportFrom) else statement.names[0].name
            for statement in ast.parse(path.read_text()).body
            if isinstance(statement, ast.ImportFrom | ast.Import)
        ]
        heavy = [n for n in imported if n and n.startswith(("torchvision", "timm"))]
        assert not heavy, path
