"""Fewer channels, the same maps: the axes of a scale, and networks that compute along them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from daemon.simulator.parts import draw
from models import axes as axes_module
from models import bundle as bundles
from models.axes import Axes, AxesFinder
from models.detector import Detector, build_detector, build_teacher
from models.engine import Engine
from models.images import to_tensor
from models.pdn import PdnSize
from models.precision import Precision
from models.reduced import Reduced
from tests.models.thin import write_bundle

CHANNELS = 96
RANK = 8


@pytest.fixture(scope="module")
def tiles() -> Tensor:
    return torch.stack([to_tensor(draw(seed, size=256).image) for seed in range(2)])


@pytest.fixture(scope="module", params=list(PdnSize))
def detector(request: pytest.FixtureRequest) -> Detector:
    """Random networks whose differences lie along few directions, as trained ones' nearly do."""
    torch.manual_seed(3)
    teacher = build_teacher(request.param, CHANNELS)
    teacher.set_statistics(torch.zeros(CHANNELS), torch.rand(CHANNELS) + 0.5)
    found = build_detector(teacher, request.param, CHANNELS).eval().requires_grad_(False)
    ones = torch.ones(CHANNELS)
    for its, stretch, follows in (
        (teacher.net, teacher.std, slice(CHANNELS)),
        (found.autoencoder, ones, slice(CHANNELS, None)),
    ):
        onto = torch.linalg.qr(torch.randn(CHANNELS, RANK))[0]
        onto = onto @ onto.T
        _project(its[-1], slice(None), stretch[:, None] * onto / stretch)  # type: ignore[index]
        _project(found.student[-1], follows, onto)
    return found


def _project(layer: nn.Module, rows: slice, onto: Tensor) -> None:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    layer.weight[rows] = torch.einsum("cd,d...->c...", onto, layer.weight[rows])
    layer.bias[rows] = onto @ layer.bias[rows]


def test_few_axes_make_the_same_maps(detector: Detector, tiles: Tensor) -> None:
    finder = AxesFinder(detector)
    finder.add(tiles[:1])
    axes = finder.axes()
    assert axes.first("local").axes.shape == axes.first("globally").axes.shape == (CHANNELS, 32)
    with torch.inference_mode():
        full, reduced = detector(tiles), Reduced(detector, axes)(tiles)
    for its, wanted in zip(reduced, full, strict=True):
        torch.testing.assert_close(its, wanted, rtol=1e-3, atol=1e-4 * float(wanted.max()))


def test_all_axes_change_nothing(tiles: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes_module, "ENERGY", 1.0)
    torch.manual_seed(0)
    teacher = build_teacher(PdnSize.SMALL, 48)
    teacher.set_statistics(torch.randn(48), torch.rand(48) + 0.5)
    detector = build_detector(teacher, PdnSize.SMALL, 48).eval().requires_grad_(False)
    finder = AxesFinder(detector)
    finder.add(tiles)
    with torch.inference_mode():
        full, reduced = detector(tiles), Reduced(detector, finder.axes())(tiles)
    for its, wanted in zip(reduced, full, strict=True):
        torch.testing.assert_close(its, wanted, rtol=1e-4, atol=1e-5 * float(wanted.max()))


def test_what_is_left_out_is_made_up_for_on_average(
    tiles: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random networks need all their channels: half of them give the mean, and not the map."""
    monkeypatch.setattr(axes_module, "ENERGY", 0.8)
    torch.manual_seed(1)
    teacher = build_teacher(PdnSize.SMALL, 128)
    detector = build_detector(teacher, PdnSize.SMALL, 128).eval().requires_grad_(False)
    finder = AxesFinder(detector)
    finder.add(tiles)
    axes = finder.axes()
    first = axes.first("local")
    assert first.share >= 0.8
    assert first.axes.shape[1] < 128
    torch.testing.assert_close(first.axes.T @ first.axes, torch.eye(first.axes.shape[1]))
    with torch.inference_mode():
        full, reduced = detector(tiles), Reduced(detector, axes)(tiles)
    assert float(reduced.local.mean() / full.local.mean()) == pytest.approx(1, abs=0.2)


def test_axes_are_by_falling_energy(detector: Detector, tiles: Tensor) -> None:
    finder = AxesFinder(detector)
    finder.add(tiles)
    axes = finder.axes()
    for share in (axes.local_share, axes.global_share):
        assert (share.diff() > -1e-6).all()
        assert float(share[-1]) == pytest.approx(1, abs=1e-5)
        assert float(share[RANK - 1]) > 0.999


def test_an_engine_computes_along_them_in_bf16_alone(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", draw(9, size=300).image)
    bundle = bundles.load(tmp_path / "b")
    assert set(bundle.axes) == {"whole", "tiles"}
    exact = Engine(bundle)
    fast = Engine(bundle, precision=Precision.BF16)
    assert "axes" not in exact.fingerprint
    assert "/bf16/axes-" in fast.fingerprint
    seen: list[nn.Module] = []
    for networks in fast._networks.values():
        assert isinstance(networks, Reduced)
        networks.register_forward_hook(lambda net, *_: seen.append(net))
    fast.look_at(bundle.reference)
    assert seen
    assert exact.verify() < 1e-3
    assert fast.verify() < 0.05


def test_axes_that_nobody_found_are_all() -> None:
    turned = Axes(5).first("local")
    assert turned.share == 1
    assert torch.equal(turned.axes, torch.eye(5))
