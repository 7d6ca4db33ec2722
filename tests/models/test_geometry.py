"""Tiles, cells and placements against plain reckoning."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from models.geometry import BORDER, CELLS, STEP, TILE, Placement, Tiles, Whole

SIDES = st.integers(1, 900)
FAR = st.floats(-1000, 1000)
STEPS = st.floats(0.1, 20)
COUNTS = st.integers(1, 30)


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    return Placement(
        first=(draw(FAR), draw(FAR)),
        step=(draw(STEPS), draw(STEPS)),
        cells=(draw(COUNTS), draw(COUNTS)),
    )


def resampled(values: NDArray[np.float64], of: Placement, at: Placement) -> NDArray[np.float64]:
    """Linear between the centres, a row and a column at a time; edges repeated."""

    def centres(placement: Placement, axis: int) -> NDArray[np.float64]:
        count = np.arange(placement.cells[axis])
        return np.asarray(placement.first[axis] + placement.step[axis] * count)

    for axis in (0, 1):
        values = np.apply_along_axis(
            lambda line, axis=axis: np.interp(centres(at, axis), centres(of, axis), line),
            axis,
            values,
        )
    return values


@given(placements(), placements(), st.integers(0, 2**31))
def test_onto_is_linear_between_centres(of: Placement, at: Placement, seed: int) -> None:
    torch.manual_seed(seed)
    values = torch.randn(*of.cells)
    found = of.onto(values, at)
    plain = resampled(values.numpy().astype(np.float64), of, at)
    np.testing.assert_allclose(found.numpy(), plain, rtol=1e-5, atol=1e-5)


@given(placements(), placements(), st.integers(0, 2**31), st.sampled_from([1e-6, 0.1, 3.0, 1e9]))
def test_onto_never_leaves_the_range(of: Placement, at: Placement, seed: int, size: float) -> None:
    torch.manual_seed(seed)
    values = torch.rand(*of.cells) * size
    found = of.onto(values, at)
    assert found.max() <= values.max()
    assert found.min() >= values.min()


@given(placements(), placements(), st.floats(-1e6, 1e6, width=32))
def test_onto_preserves_constants(of: Placement, at: Placement, value: float) -> None:
    assert torch.equal(of.onto(torch.full(of.cells, value), at), torch.full(at.cells, value))


def test_onto_goes_through_leading_axes() -> None:
    of, at = Placement((2, 2), (4, 4), (5, 6)), Placement((0, 0), (3, 3), (8, 9))
    values = torch.randn(2, 3, 5, 6)
    found = of.onto(values, at)
    assert found.shape == (2, 3, 8, 9)
    assert torch.equal(found[1, 2], of.onto(values[1, 2], at))


def test_to_pixels_gives_a_cells_value_at_its_centre() -> None:
    placement = Placement((2, 6), (4, 8), (3, 2))
    values = torch.randn(3, 2)
    pixels = placement.to_pixels(values, (12, 20))
    assert pixels.shape == (12, 20)
    assert torch.equal(pixels[2::4, 6::8], values)
    assert float(pixels[4, 6]) == pytest.approx(float(values[0, 0] + values[1, 0]) / 2, abs=1e-6)
    assert pixels[0, 0] == values[0, 0]
    assert pixels[11, 19] == values[2, 1]


def test_centre_and_shift() -> None:
    placement = Placement((2, 6), (4, 8), (3, 2))
    assert placement.centre((0, 0)) == (2, 6)
    assert placement.centre((1.5, 2)) == (8, 22)
    assert placement.shifted(100, 10).centre((1.5, 2)) == (108, 32)


@settings(max_examples=30)
@given(SIDES, SIDES)
def test_every_pixel_is_answered_for_by_one_cell(height: int, width: int) -> None:
    """Cell (i, j) answers for the pixels around its centre: 2 above and left, 1 below and right."""
    tiles = Tiles(height, width)
    placement = tiles.placement
    answered = np.zeros((height, width), dtype=int)
    for row in range(placement.cells[0]):
        for column in range(placement.cells[1]):
            y, x = (int(c) for c in placement.centre((row, column)))
            answered[max(y - 2, 0) : y + 2, max(x - 2, 0) : x + 2] += 1
    assert (answered == 1).all()


@given(SIDES, SIDES)
@example(224, 225)
def test_tiles_cover_each_cell(height: int, width: int) -> None:
    tiles = Tiles(height, width)
    rows, columns = (max(n, CELLS) for n in tiles.cells)
    covered = np.zeros((rows, columns), dtype=int)
    for row, column in tiles.origins:
        assert 0 <= row <= rows - CELLS
        assert 0 <= column <= columns - CELLS
        covered[row : row + CELLS, column : column + CELLS] += 1
    assert covered.min() == 1
    assert tiles.tiles == len(set(tiles.origins)) == -(-rows // CELLS) * -(-columns // CELLS)


@given(SIDES, SIDES)
@example(1, 2)
@example(224, 225)
def test_pad_reflects_until_the_cells_are_covered(height: int, width: int) -> None:
    tiles = Tiles(height, width)
    frame = torch.rand(3, height, width)
    padded = tiles.pad(frame)
    reach = [STEP * max(n, CELLS) + 32 for n in tiles.cells]
    after = [(BORDER, r - BORDER - n) for r, n in zip(reach, (height, width), strict=True)]
    plain = np.pad(frame.numpy(), [(0, 0), *after], mode="reflect")
    assert np.array_equal(padded.numpy(), plain)


@given(SIDES, SIDES)
def test_cut_tiles_are_pieces_of_the_padded_frame(height: int, width: int) -> None:
    tiles = Tiles(height, width)
    frame = torch.rand(1, height, width)
    padded, cut = tiles.pad(frame), tiles.cut(frame)
    assert cut.shape == (tiles.tiles, 1, TILE, TILE)
    for (row, column), tile in zip(tiles.origins, cut, strict=True):
        y, x = 4 * row, 4 * column
        assert torch.equal(tile, padded[:, y : y + 256, x : x + 256])


@given(SIDES, SIDES)
def test_join_puts_each_cell_in_its_place(height: int, width: int) -> None:
    tiles = Tiles(height, width)
    rows, columns = (max(n, CELLS) for n in tiles.cells)
    number = torch.arange(rows * columns, dtype=torch.float32).view(rows, columns)
    maps = torch.stack([number[r : r + CELLS, c : c + CELLS] for r, c in tiles.origins])
    assert torch.equal(tiles.join(maps), number[: tiles.cells[0], : tiles.cells[1]])


def shrinking(size: int) -> NDArray[np.float64]:
    """The weights, (256, size), of a bilinear resize with a triangle as wide as it shrinks."""
    ratio = size / TILE
    width = max(ratio, 1.0)
    centre = (np.arange(TILE) + 0.5) * ratio
    distance = np.abs(np.arange(size) + 0.5 - centre[:, None]) / width
    weights = np.maximum(1 - distance, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@settings(max_examples=25)
@given(st.integers(32, 900), st.integers(32, 900))
@example(40, 40)
@example(256, 256)
@example(256, 512)
@example(1000, 64)
def test_whole_resizes_the_frame_to_a_tile(height: int, width: int) -> None:
    frame = torch.rand(3, height, width)
    cut = Whole(height, width).cut(frame)
    plain = np.einsum(
        "ay,cyx,bx->cab", shrinking(height), frame.numpy(), shrinking(width), optimize=True
    )
    assert cut.shape == (1, 3, TILE, TILE)
    np.testing.assert_allclose(cut[0].numpy(), plain, atol=1e-5)


def test_whole_leaves_a_frame_of_a_tiles_size_alone() -> None:
    frame = torch.rand(3, TILE, TILE)
    assert torch.equal(Whole(TILE, TILE).cut(frame)[0], frame)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (40, 64), (700, 301), (2000, 3000)])
def test_whole_places_its_cells_where_a_ramp_says(height: int, width: int) -> None:
    """A frame whose values are its coordinates tells where a cell was cut, to 0.05 pixels."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cut = Whole(height, width).cut(torch.stack([y, x]).float())[0]
    centres: Tensor = cut[:, 16 : 16 + 4 * CELLS : 4, 16 : 16 + 4 * CELLS : 4]
    placement = Whole(height, width).placement
    for cell in ((0, 0), (20, 35), (55, 55)):
        found = centres[:, cell[0], cell[1]].tolist()
        assert found == pytest.approx(placement.centre(cell), abs=0.05)
