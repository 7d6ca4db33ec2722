"""What is ignored, in cells and tiles, against plain reckoning pixel by pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.errors import InputError
from models.geometry import Box, Cutting, Placement, Tiles, Whole
from models.region import Mask, ignored_cells, kept_tiles, read_mask, within

SIDES = st.integers(1, 700)
SEEDS = st.integers(0, 2**31)


def blotches(height: int, width: int, seed: int) -> Mask:
    """A mask of a few large rectangles, which leave a cell here and a tile there."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.bool_)
    for _ in range(int(random.integers(0, 4))):
        y, x = int(random.integers(0, height)), int(random.integers(0, width))
        mask[y : y + int(random.integers(1, 400)), x : x + int(random.integers(1, 400))] = True
    return mask


def plain(placement: Placement, ignored: Mask) -> Mask:
    """Each pixel to its nearest cell, of two as near the later; a cell without one has its own."""
    lines = []
    for axis in (0, 1):
        first, step, cells = placement.first[axis], placement.step[axis], placement.cells[axis]
        own: list[list[int]] = [[] for _ in range(cells)]
        for pixel in range(ignored.shape[axis]):
            distances = [abs(first + step * cell - pixel) for cell in range(cells)]
            nearest = max(c for c, d in enumerate(distances) if d <= min(distances) + 1e-9)
            own[nearest].append(pixel)
        for cell, pixels in enumerate(own):
            if not pixels:
                below = int(np.floor(first + step * cell + 0.5))
                pixels.append(min(max(below, 0), ignored.shape[axis] - 1))
        lines.append(own)
    found = np.zeros(placement.cells, np.bool_)
    for row, ys in enumerate(lines[0]):
        for column, xs in enumerate(lines[1]):
            found[row, column] = ignored[np.ix_(ys, xs)].all()
    return found


@settings(max_examples=15)
@given(st.integers(1, 150), st.integers(1, 150), SEEDS, st.booleans())
@example(40, 300, 1, True)
def test_a_cell_is_ignored_if_all_its_pixels_are(
    height: int, width: int, seed: int, whole: bool
) -> None:
    cutting: Cutting = Whole(height, width) if whole else Tiles(height, width)
    ignored = blotches(height, width, seed)
    found = ignored_cells(cutting.placement, ignored)
    np.testing.assert_array_equal(found, plain(cutting.placement, ignored))


@given(SIDES, SIDES, st.booleans(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_one_inspected_pixel_leaves_its_cell(
    height: int, width: int, whole: bool, place: tuple[float, float]
) -> None:
    """Cells of no pixel but that one are few: its own, and in a tiny frame those of no pixel."""
    y, x = int(place[0] * (height - 1)), int(place[1] * (width - 1))
    ignored = np.ones((height, width), np.bool_)
    assert ignored_cells(Whole(height, width).placement, ignored).all()
    ignored[y, x] = False
    cutting: Cutting = Whole(height, width) if whole else Tiles(height, width)
    left = ~ignored_cells(cutting.placement, ignored)
    assert left.any()
    if not whole:
        assert np.argwhere(left).tolist() == [[y // 4, x // 4]]


@given(SIDES, SIDES, SEEDS, st.sampled_from([224, 112, 56]))
def test_a_tile_is_kept_if_one_of_its_cells_is(
    height: int, width: int, seed: int, stride: int
) -> None:
    tiles = Tiles(height, width, stride)  # type: ignore[arg-type]
    ignored = blotches(height, width, seed)
    left = ~ignored_cells(tiles.placement, ignored)
    expected = [
        index
        for index, (row, column) in enumerate(tiles.origins)
        if left[row : row + 56, column : column + 56].any()
    ]
    assert list(kept_tiles(tiles, ignored)) == expected


def test_without_a_mask_every_tile_is_kept() -> None:
    assert kept_tiles(Tiles(500, 300), None) == tuple(range(6))
    assert kept_tiles(Whole(500, 300), None) == (0,)


def test_the_whole_is_kept_unless_nothing_is_left() -> None:
    ignored = np.ones((500, 300), np.bool_)
    assert kept_tiles(Whole(500, 300), ignored) == ()
    ignored[499, 0] = False
    assert kept_tiles(Whole(500, 300), ignored) == (0,)


def test_a_mask_of_another_frame_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"a mask of \(300, 500\)"):
        kept_tiles(Tiles(500, 300), np.zeros((300, 500), np.bool_))


def test_white_is_ignored(tmp_path: Path) -> None:
    grey = np.zeros((30, 40), np.uint8)
    grey[2:9, 4:7] = 255
    grey[20, 20], grey[21, 20] = 127, 128
    path = tmp_path / "mask.png"
    for pixels in (grey, np.repeat(grey[..., None], 3, axis=2)):
        cv2.imwrite(str(path), pixels)
        found = read_mask(path, 30, 40)
        assert found.dtype == np.bool_
        assert found.sum() == 7 * 3 + 1
        assert found[8, 6]
        assert found[21, 20]


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.full((40, 30), 255, np.uint8), "30 x 40 pixels; an ignore mask must be as large as"),
        (np.full((30, 40), 255, np.uint8), "white everywhere, so that nothing is inspected"),
        (None, "not a readable image"),
    ],
)
def test_masks_that_cannot_be_are_refused(
    tmp_path: Path, pixels: NDArray[np.uint8] | None, said: str
) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"" if pixels is None else cv2.imencode(".png", pixels)[1].tobytes())
    with pytest.raises(InputError) as refused:
        read_mask(path, 30, 40)
    assert str(refused.value).startswith(f"{path}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.png: No such file"):
        read_mask(tmp_path / "none.png", 30, 40)


def test_a_mask_is_cut_as_the_frame_is() -> None:
    mask = np.random.default_rng(0).random((100, 200)) < 0.5
    assert within(mask, None) is mask
    cut = within(mask, Box(x=30, y=7, width=64, height=33))
    np.testing.assert_array_equal(cut, mask[7:40, 30:94])
