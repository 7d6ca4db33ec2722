"""Thin detectors: the maps of the whole one, with fewer operations."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from daemon.simulator.parts import draw
from models.detector import Detector
from models.images import to_tensor
from models.pdn import PdnSize
from models.precision import TOLERANCE, Precision
from models.reduced import Reduced, reduced_like
from tests.training.reduction.narrow import CHANNELS, convolutions, narrow_detector, share_off
from training.reduction import reduce as reduce_module
from training.reduction import reduction as reduction_module
from training.reduction.axes import find_axes
from training.reduction.moments import Moment
from training.reduction.reduce import reduce
from training.reduction.reduction import Reduction
from training.reduction.stimuli import colours, spoilt


@pytest.fixture(scope="module")
def tiles() -> list[Tensor]:
    return [to_tensor(draw(seed, size=256).image) for seed in range(2)]


def operations(net: Detector | Reduced) -> float:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(torch.zeros(1, 3, 256, 256))
    return float(counter.get_total_flops())


def off(found: Reduced, detector: Detector, tile: Tensor) -> float:
    with torch.inference_mode():
        pairs = zip(found(tile[None]), detector(tile[None]), strict=True)
    return max(share_off(mine, its) for mine, its in pairs)


def learned(detector: Detector, tiles: list[Tensor]) -> Reduction:
    found, signs = Reduction(detector), torch.Generator().manual_seed(0)
    for tile in tiles:
        found.add(tile[None], signs)
    return found


def test_for_nothing_no_layer_is_thinned(tiles: list[Tensor]) -> None:
    detector = narrow_detector(0)
    found = learned(detector, tiles[:1]).reduced(price=0.0, energy=1.0)
    for layer in (found.difference, found.follows):
        assert [net.out_channels for net in convolutions(layer)] == [CHANNELS]
    assert off(found, detector, tiles[1]) < 1e-4


def test_a_higher_price_leaves_fewer_operations_and_a_larger_error(tiles: list[Tensor]) -> None:
    detector = narrow_detector(1)
    learnt = learned(detector, tiles[:1])
    errors, costs = [], [operations(detector)]
    for price in (1e-13, 1e-11, 1e-9):
        found = learnt.reduced(price, 0.97)
        errors.append(off(found, detector, tiles[1]))
        costs.append(operations(found))
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.7 * costs[0]
    assert errors == sorted(errors)


def test_the_thinnest_within_the_tolerance_is_taken(tiles: list[Tensor]) -> None:
    detector = narrow_detector(2)
    thin = reduce(detector, tiles, tiles[:1])
    assert thin is not None
    assert thin.off <= reduce_module.SHARE * TOLERANCE[Precision.REDUCED]
    assert thin.off >= max(off(thin.reduced, detector, tile) for tile in tiles) * 0.999
    assert operations(thin.reduced) < operations(detector)
    read = reduced_like(PdnSize.SMALL, thin.reduced.state_dict())
    read.load_state_dict(thin.reduced.state_dict())
    mine = off(read.eval(), detector, tiles[0])
    assert mine == pytest.approx(off(thin.reduced, detector, tiles[0]), rel=1e-3)


def test_nothing_is_taken_where_nothing_keeps_the_maps(
    tiles: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reduce_module, "TRIED", ((1e-9, 0.97),))
    assert reduce(narrow_detector(3), tiles, tiles[:1]) is None


def test_colours_that_parts_lack_are_seen(
    tiles: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grey parts, a red defect, and half of the layers see only how colours differ."""
    detector = narrow_detector(4)
    for net in (detector.teacher.net, detector.student):
        filters = net[0].weight
        assert isinstance(filters, Tensor)
        filters[:16] -= filters[:16].mean(dim=1, keepdim=True)
    grey = [tile.mean(dim=0, keepdim=True).expand(3, -1, -1).contiguous() for tile in tiles]
    defect = grey[0].clone()
    defect[:, 100:160, 100:160] = torch.tensor([0.9, 0.05, 0.05])[:, None, None]
    errors = []
    for weight in (0.0, 0.1):
        monkeypatch.setattr(reduction_module, "COLOURS", weight)
        found, random = learned(detector, grey), torch.Generator().manual_seed(0)
        for seed in range(3):
            found.add_colours(colours(np.random.default_rng(seed))[None], random)
        errors.append(off(found.reduced(1e-11, 0.97), detector, defect))
    assert errors[1] < 0.7 * errors[0]


def test_axes_hold_the_energy_that_they_must() -> None:
    torch.manual_seed(0)
    scales = 0.85 ** torch.arange(64.0)
    difference, feature = Moment(64), Moment(64)
    turn = torch.linalg.qr(torch.randn(64, 64))[0]
    for moment in (difference, feature):
        moment.add(torch.einsum("ck,nkhw->nchw", turn * scales, torch.randn(1, 64, 40, 40)))
    found = find_axes(difference, feature, 0.9)
    count = found.axes.shape[1]
    assert count == 16
    assert 0.9 <= found.share < 1
    torch.testing.assert_close(found.axes.T @ found.axes, torch.eye(count).double())
    for moment in (difference, feature):
        along = torch.einsum("ck,cd,dk->", found.axes, moment.relative(), found.axes)
        assert float(along) >= found.share - 1e-9
    # All channels' mean of squares is made up for.
    weight = torch.randn(64, 5)
    some, every = (
        float(find_axes(difference, feature, energy).turned(weight).square().sum())
        for energy in (0.9, 1.0)
    )
    assert every == pytest.approx(float(weight.double().square().sum() / 64), rel=1e-6)
    assert some != every


def test_stimuli_are_images() -> None:
    random = np.random.default_rng(0)
    tile = torch.full((3, 256, 256), 0.5)
    for _ in range(20):
        for found in (colours(random), spoilt(tile, random)):
            assert found.shape == (3, 256, 256)
            assert 0 <= float(found.min()) <= float(found.max()) <= 1
    changed = (spoilt(tile, random) != tile).any(dim=0)
    assert 16 * 16 * 0.9 <= int(changed.sum()) <= 96 * 96
    assert torch.equal(tile, torch.full((3, 256, 256), 0.5))
