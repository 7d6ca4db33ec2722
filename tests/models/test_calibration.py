"""Normalization and fusion of maps (thesis 4.7, eq. 4.12)."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from models.calibration import AnomalyMap, NormalRange, RawMaps, ScaleRange, fuse
from models.geometry import Placement, Tiles, Whole

RANGE = ScaleRange(local=NormalRange(q_a=0.2, q_b=0.7), globally=NormalRange(q_a=1, q_b=5))
ALPHAS = st.floats(0, 1)


def raw(placement: Placement, seed: int = 0) -> RawMaps:
    torch.manual_seed(seed)
    return RawMaps(torch.rand(*placement.cells), torch.rand(*placement.cells) * 5, placement)


def plain(maps: RawMaps, alpha: float) -> Tensor:
    local = 0.1 * (maps.local - 0.2) / (0.7 - 0.2)
    globally = 0.1 * (maps.globally - 1) / (5 - 1)
    return alpha * local + (1 - alpha) * globally


def test_normalization_maps_q_a_to_0_and_q_b_to_a_tenth() -> None:
    values = RANGE.globally.normalize(torch.tensor([1.0, 5.0, 3.0, 45.0]))
    assert values.tolist() == pytest.approx([0, 0.1, 0.05, 1.1])


@pytest.mark.parametrize("q_b", [0.2, 0.1, float("nan")])
def test_quantiles_must_be_ordered(q_b: float) -> None:
    with pytest.raises(ValidationError):
        NormalRange(q_a=0.2, q_b=q_b)


@given(ALPHAS, st.integers(0, 99))
def test_one_scale_is_equation_4_12(alpha: float, seed: int) -> None:
    maps = raw(Whole(100, 80).placement, seed)
    found = fuse({"whole": maps}, {"whole": RANGE}, alpha, {"whole": 3.0})
    np.testing.assert_allclose(found.values, plain(maps, alpha), atol=1e-6)
    assert found.placement == maps.placement
    assert found.score == float(found.values.max())


@pytest.mark.parametrize(("alpha", "kept"), [(1.0, "local"), (0.0, "globally")])
def test_alpha_one_is_local_and_zero_is_global(alpha: float, kept: str) -> None:
    maps = raw(Whole(100, 80).placement)
    found = fuse({"whole": maps}, {"whole": RANGE}, alpha, {"whole": 1.0})
    alone = getattr(RANGE, kept).normalize(getattr(maps, kept))
    assert torch.equal(found.values, alone)


@given(ALPHAS, st.floats(0.1, 10), st.floats(0.1, 10))
def test_scales_are_averaged_by_weight_on_the_tiles_cells(
    alpha: float, whole: float, tiles: float
) -> None:
    frame = (600, 500)
    maps = {"whole": raw(Whole(*frame).placement, 1), "tiles": raw(Tiles(*frame).placement, 2)}
    ranges = {"whole": RANGE, "tiles": RANGE}
    found = fuse(maps, ranges, alpha, {"whole": whole, "tiles": tiles})
    coarse = maps["whole"].placement.onto(plain(maps["whole"], alpha), maps["tiles"].placement)
    expected = (whole * coarse + tiles * plain(maps["tiles"], alpha)) / (whole + tiles)
    assert found.placement == maps["tiles"].placement
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


@pytest.mark.parametrize("frame", [(100, 90), (250, 300), (256, 256), (900, 700)])
@pytest.mark.parametrize("order", [("whole", "tiles"), ("tiles", "whole")])
def test_no_cell_at_the_border_is_lost(frame: tuple[int, int], order: tuple[str, str]) -> None:
    """The whole's cells end 16 of 256 pixels before the border, and below 256 are the finer."""
    placements = {"whole": Whole(*frame).placement, "tiles": Tiles(*frame).placement}
    maps = {name: raw(placements[name]) for name in order}
    maps["tiles"].local[-1, 0] = 1000
    found = fuse(maps, dict.fromkeys(maps, RANGE), 0.5, dict.fromkeys(maps, 1.0))
    assert found.placement == Tiles(*frame).placement
    assert int(found.values.argmax()) == found.values[:-1].numel()


def test_each_scale_has_its_own_range() -> None:
    maps = {"whole": raw(Whole(256, 256).placement, 1), "tiles": raw(Tiles(256, 256).placement, 2)}
    other = ScaleRange(local=NormalRange(q_a=0, q_b=1000), globally=NormalRange(q_a=0, q_b=1000))
    found = fuse(maps, {"whole": other, "tiles": RANGE}, 0.5, {"whole": 1, "tiles": 1})
    expected = plain(maps["tiles"], 0.5) / 2
    np.testing.assert_allclose(found.values, expected, atol=1e-3)


def test_no_maps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"empty|no maps"):
        fuse({}, {}, 0.5, {})


def test_score_is_the_largest_value() -> None:
    values = torch.tensor([[0.1, 0.7], [0.3, -0.2]])
    assert AnomalyMap(values, Placement((0, 0), (1, 1), (2, 2))).score == pytest.approx(0.7)


def test_ranges_survive_json_bit_for_bit() -> None:
    exact = float(np.float32(0.1)) / 3
    written = ScaleRange(
        local=NormalRange(q_a=0, q_b=exact), globally=NormalRange(q_a=-exact, q_b=0)
    )
    assert ScaleRange.model_validate(json.loads(written.model_dump_json())) == written
