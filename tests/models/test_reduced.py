"""Thin layers in the place of whole ones: how they are read, and which engines use them."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from daemon.simulator.parts import draw
from models import bundle as bundles
from models.autoencoder import autoencoder
from models.bundle import MANIFEST
from models.engine import Engine
from models.errors import InputError
from models.pdn import PdnSize
from models.precision import Precision
from models.records import sha256
from models.reduced import Reduced, reduced_like
from models.weights import write_weights
from tests.models.thin import write_bundle

TILE = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reduced") / "b"
    write_bundle(path, draw(9, size=300).image, reduced=True)
    return path


def test_layers_are_told_by_their_weights() -> None:
    """One layer whole, one as two, one as three; then onto what the last layers read."""
    torch.manual_seed(0)
    made = Reduced(
        teacher=nn.Sequential(
            nn.Conv2d(3, 8, 4),
            nn.ReLU(),
            nn.AvgPool2d(2, 2),
            nn.Sequential(nn.Conv2d(8, 4, 1, bias=False), nn.Conv2d(4, 6, 4)),
            nn.ReLU(),
            nn.AvgPool2d(2, 2),
            nn.Sequential(nn.Conv2d(6, 3, 1), nn.Conv2d(3, 2, 3), nn.Conv2d(2, 6, 1, bias=False)),
            nn.ReLU(),
        ),
        student=nn.Sequential(
            nn.Conv2d(3, 8, 4),
            nn.ReLU(),
            nn.AvgPool2d(2, 2),
            nn.Conv2d(8, 6, 4),
            nn.ReLU(),
            nn.AvgPool2d(2, 2),
            nn.Conv2d(6, 6, 3),
            nn.ReLU(),
            nn.Conv2d(6, 5, 1, bias=False),
        ),
        autoencoder=autoencoder()[:-1],
        difference=nn.Conv2d(11, 7, 4),
        follows=nn.Conv2d(5, 9, 4),
        predicted=nn.Conv2d(64, 9, 3, padding=1),
    ).eval()
    read = reduced_like(PdnSize.SMALL, made.state_dict())
    read.load_state_dict(made.state_dict())
    with torch.inference_mode():
        wanted, found = made(TILE), read.eval()(TILE)
    assert wanted.local.shape == wanted.globally.shape == (1, 56, 56)
    for its, mine in zip(wanted, found, strict=True):
        assert torch.equal(its, mine)
    state = dict(made.state_dict())
    del state["follows.weight"]
    with pytest.raises(KeyError, match=r"follows\.weight"):
        reduced_like(PdnSize.SMALL, state)


def test_engines_compute_with_them_but_for_the_reference(bundle: Path) -> None:
    read = bundles.load(bundle)
    assert set(read.reduced) == {"whole", "tiles"}
    exact = Engine(read)
    assert not any(isinstance(n, Reduced) for n in exact._networks.values())
    assert exact.verify() < 1e-3
    for precision in (Precision.REDUCED, Precision.BF16):
        fast = Engine(read, precision=precision)
        assert f"/{precision}/" in fast.fingerprint
        seen: list[nn.Module] = []
        for networks in fast._networks.values():
            assert isinstance(networks, Reduced)
            networks.register_forward_hook(lambda net, *_, seen=seen: seen.append(net))
        assert 1e-3 < fast.verify() < 0.05
        assert len(set(seen)) == 2


def test_a_bundle_without_them_computes_with_whole_layers(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", draw(9, size=300).image, ("whole",))
    read = bundles.load(tmp_path / "b")
    assert read.reduced == {}
    assert Engine(read, precision=Precision.REDUCED).verify() < 1e-3


@pytest.mark.parametrize("missing", ["difference.weight", "teacher.0.bias", "predicted.bias"])
def test_other_weights_are_refused(bundle: Path, tmp_path: Path, missing: str) -> None:
    path = tmp_path / "b"
    shutil.copytree(bundle, path)
    file = path / "whole.reduced.safetensors"
    state = dict(bundles.load(path).reduced["whole"].state_dict())
    state["other"] = state.pop(missing)
    was = sha256(file)
    write_weights(file, state, {})
    manifest = (path / MANIFEST).read_text()
    (path / MANIFEST).write_text(manifest.replace(was, sha256(file)))
    with pytest.raises(InputError, match=r"whole\.reduced\.safetensors: does not hold the layers"):
        bundles.load(path)
