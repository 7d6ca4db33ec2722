"""Smooth weights: they add up to 1, keep what agrees, and leave no seam."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.blending import blend, shares
from models.geometry import CELLS, Tiles, TileStride, Whole

SIDES = st.integers(1, 1200)
STRIDES = st.sampled_from([224, 112, 56])


@settings(max_examples=40)
@given(SIDES, SIDES, STRIDES, st.data())
@example(1500, 300, 112, None)
def test_the_shares_of_a_cell_add_up_to_one(
    height: int, width: int, stride: TileStride, data: st.DataObject | None
) -> None:
    tiles = Tiles(height, width, stride)
    which = list(range(tiles.tiles))
    if data is not None:
        which = sorted(data.draw(st.sets(st.sampled_from(which), max_size=6)))
    found = shares(tiles, which)
    total, count = torch.zeros(tiles.lattice), torch.zeros(tiles.lattice)
    for (row, column), share in zip(tiles.chosen(which), found, strict=True):
        total[row : row + CELLS, column : column + CELLS] += share
        count[row : row + CELLS, column : column + CELLS] += 1
    assert found.shape == (len(which), CELLS, CELLS)
    assert (found > 0).all()
    np.testing.assert_allclose(total[count > 0], 1, atol=1e-6)
    assert (total[count == 1] == 1).all()
    assert torch.equal(count[: tiles.cells[0], : tiles.cells[1]] > 0, tiles.covered(which))


@settings(max_examples=20)
@given(SIDES, SIDES, STRIDES)
def test_tiles_that_agree_are_joined(height: int, width: int, stride: TileStride) -> None:
    """What every tile says of a cell is kept: each in its place."""
    tiles = Tiles(height, width, stride)
    truth = torch.rand(tiles.lattice)
    maps = torch.stack([truth[r : r + CELLS, c : c + CELLS] for r, c in tiles.origins])
    np.testing.assert_allclose(
        blend(tiles, maps), truth[: tiles.cells[0], : tiles.cells[1]], atol=1e-6
    )


def test_cells_of_no_tile_are_zero() -> None:
    tiles = Tiles(448, 448)
    found = blend(tiles, torch.ones(2, CELLS, CELLS), (0, 3))
    assert found[:56, :56].eq(1).all()
    assert found[56:, 56:].eq(1).all()
    assert not found[:56, 56:].any()
    assert not blend(tiles, torch.ones(0, CELLS, CELLS), ()).any()


@pytest.mark.parametrize(("stride", "largest"), [(224, 1.0), (112, 0.06), (56, 0.04)])
def test_overlapping_tiles_leave_no_seam(stride: TileStride, largest: float) -> None:
    """Tiles that disagree by 1: where nothing overlaps the map jumps by 1, else by a sine's step.

    Half a tile apart the steepest is pi / 56 a cell.
    """
    tiles = Tiles(448, 896, stride)
    maps = torch.stack(
        [torch.full((CELLS, CELLS), float(c * 4 // stride % 2)) for _, c in tiles.origins]
    )
    steps = blend(tiles, maps).diff(dim=1).abs()
    assert float(steps.max()) == pytest.approx(largest, rel=0.3)
    assert float(steps.max()) <= largest


def test_a_tile_moved_back_is_blended_over_what_it_overlaps() -> None:
    """Of 75 cells in a row two tiles share 37: the later one does not simply win."""
    tiles = Tiles(224, 300)
    maps = torch.stack([torch.zeros(CELLS, CELLS), torch.ones(CELLS, CELLS)])
    row = blend(tiles, maps)[0]
    assert not row[:19].any()
    assert row[56:].eq(1).all()
    assert (row[18:57].diff() > 0).all()
    assert float(row.diff().max()) < 0.06
    assert float(row[37]) == pytest.approx(0.5, abs=1e-6)


def test_the_whole_has_nothing_to_blend() -> None:
    maps = torch.rand(1, CELLS, CELLS)
    assert torch.equal(blend(Whole(70, 900), maps), maps[0])
