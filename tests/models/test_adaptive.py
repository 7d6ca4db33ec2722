"""Which tiles are asked for, and what becomes of the others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.adaptive import Asking, ask_level, tile_peaks
from models.calibration import NormalRange, RawMaps, ScaleRange, fuse
from models.geometry import Tiles, Whole

FRAME = (900, 700)
TILES = Tiles(*FRAME)  # 5 x 4: origins at 0, 56, 112, 168, 169 and 0, 56, 112, 119
UNIT = NormalRange(q_a=0, q_b=0.1)  # values stay what they are
RANGE = ScaleRange(local=UNIT, globally=UNIT)
EVERY = tuple(range(TILES.tiles))


def whole(*spots: tuple[int, int, float]) -> RawMaps:
    """A whole's maps of 0 with values at frame pixels (y, x)."""
    placement = Whole(*FRAME).placement
    local = torch.zeros(placement.cells)
    for y, x, value in spots:
        (y0, x0), (dy, dx) = placement.first, placement.step
        local[round((y - y0) / dy), round((x - x0) / dx)] = value
    return RawMaps(local, torch.zeros_like(local), placement)


def origins(which: tuple[int, ...]) -> set[tuple[int, int]]:
    return set(TILES.chosen(which))


def test_a_tile_is_asked_for_where_the_whole_stands_out() -> None:
    maps = whole((100, 100, 1.0), (500, 450, 3.0))
    asked = Asking(RANGE, 1.0, level=0.5)(maps, TILES, EVERY)
    assert origins(asked) == {(0, 0), (112, 56), (112, 112)}, "the second lies at 2 tiles' border"
    assert origins(Asking(RANGE, 1.0, level=2.0)(maps, TILES, EVERY)) == {(112, 56), (112, 112)}
    assert Asking(RANGE, 1.0, level=3.0)(maps, TILES, EVERY) == ()
    assert Asking(RANGE, 0.1, level=0.5)(maps, TILES, EVERY) == (), "alpha counts"
    assert Asking(RANGE, 1.0, level=-1)(maps, TILES, EVERY) == EVERY


def test_tiles_that_are_not_kept_are_never_asked_for() -> None:
    maps = whole((100, 100, 1.0), (500, 450, 3.0))
    kept = tuple(i for i, origin in enumerate(TILES.origins) if origin != (0, 0))
    assert 0 not in Asking(RANGE, 1.0, level=0.5)(maps, TILES, kept)


def test_what_is_ignored_asks_for_nothing() -> None:
    maps = whole((100, 100, 1.0))
    asks = Asking(RANGE, 1.0, level=0.5)
    assert asks(maps, TILES, EVERY)
    assert asks(maps._replace(ignored=maps.local > 0), TILES, EVERY) == ()


def test_a_map_that_is_no_number_asks() -> None:
    assert Asking(RANGE, 1.0, level=0.5)(whole((100, 100, torch.nan)), TILES, EVERY)


@given(st.integers(0, 99), st.floats(0.01, 0.99), st.integers(1, 8))
def test_good_parts_ask_for_the_stated_share(seed: int, share: float, parts: int) -> None:
    """At most that share of all their tiles, and one more would be too many."""
    torch.manual_seed(seed)
    placement = Whole(*FRAME).placement
    seen = [
        RawMaps(torch.rand(placement.cells), torch.rand(placement.cells), placement)
        for _ in range(parts)
    ]
    peaks = [tile_peaks(maps, TILES, EVERY, RANGE, 0.5) for maps in seen]
    level = ask_level(peaks, share)
    assert level.share == share
    asks = Asking(RANGE, 0.5, level.level)
    asked = sum(len(asks(maps, TILES, EVERY)) for maps in seen)
    tiles = parts * TILES.tiles
    assert asked <= share * tiles + 1e-6
    at_the_level = int((torch.cat(peaks) == level.level).sum())
    assert asked + at_the_level > share * tiles - 1e-6, "a lower level would ask for too many"


def test_not_computed_cells_are_the_wholes_alone() -> None:
    torch.manual_seed(0)
    coarse = RawMaps(torch.rand(56, 56), torch.rand(56, 56), Whole(*FRAME).placement)
    computed = TILES.covered((0, 5))
    every = RawMaps(torch.rand(225, 175), torch.rand(225, 175), TILES.placement)
    some = every._replace(
        local=every.local * computed, globally=every.globally * computed, computed=computed
    )
    ranges, weights = {"whole": RANGE, "tiles": RANGE}, {"whole": 1.0, "tiles": 3.0}
    found = fuse({"whole": coarse, "tiles": some}, ranges, 0.3, weights)
    pyramid = fuse({"whole": coarse, "tiles": every}, ranges, 0.3, weights)
    alone = fuse({"whole": coarse}, ranges, 0.3, weights)
    assert found.placement == pyramid.placement
    assert torch.equal(found.values[computed], pyramid.values[computed])
    onto: Tensor = alone.placement.onto(alone.values, found.placement)
    assert torch.equal(found.values[~computed], onto[~computed])


def test_ignored_and_not_computed_cells_win_nothing() -> None:
    """They are at two maps of 0, below which nothing is: not even a part that is all good."""
    torch.manual_seed(0)
    ranges = {"tiles": ScaleRange(local=NormalRange(q_a=3, q_b=4), globally=UNIT)}
    ignored = torch.zeros(225, 175, dtype=torch.bool)
    ignored[:56, :60] = True
    maps = RawMaps(
        local=torch.rand(225, 175) / 10,
        globally=torch.zeros(225, 175),
        placement=TILES.placement,
        computed=~TILES.covered((0,)),
        ignored=ignored,
    )
    maps.local[ignored] = 1000
    found = fuse({"tiles": maps}, ranges, 0.5, {"tiles": 1.0})
    floor = 0.5 * 0.1 * (0 - 3) / 1
    assert found.values[ignored].tolist() == pytest.approx([floor] * int(ignored.sum()))
    assert found.score == pytest.approx(floor + 0.5 * 0.01, abs=1e-4)
    assert found.values[~ignored].min() >= found.values[ignored].max()
    assert torch.equal(maps.counted, ~ignored)


def test_a_coarse_scale_in_part_is_a_bug() -> None:
    coarse = whole()._replace(computed=torch.zeros(56, 56, dtype=torch.bool))
    fine = RawMaps(torch.zeros(225, 175), torch.zeros(225, 175), TILES.placement)
    with pytest.raises(ValueError, match="scale whole: computed in part"):
        fuse(
            {"whole": coarse, "tiles": fine},
            {"whole": RANGE, "tiles": RANGE},
            0.5,
            {"whole": 1.0, "tiles": 1.0},
        )
