"""Tiling changes nothing, and shifts nothing."""

from collections.abc import Callable, Mapping

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.bundle import Bundle
from models.calibration import NormalRange, RawMaps, ScaleRange, fuse
from models.detector import Detector, InputNorm, build_teacher
from models.engine import Engine
from models.geometry import Tiles
from models.pdn import PdnSize, pdn
from tests.models.thin import blob_detector

MakeDetector = Callable[[int], Detector]
MakeBundle = Callable[[Mapping[str, Detector], int, int], Bundle]


def assert_tiles_equal_one_pass(
    teacher: nn.Module, student: nn.Module, height: int, width: int
) -> None:
    tiles = Tiles(height, width)
    frame = InputNorm()(torch.rand(3, height, width))
    rows, columns = tiles.cells

    def squared(images: Tensor) -> Tensor:
        features: Tensor = teacher(images)
        difference = features - student(images)[:, : features.shape[1]]
        found: Tensor = difference.square().mean(dim=1)
        return found

    with torch.inference_mode():
        tiled = tiles.join(torch.cat([squared(tile[None]) for tile in tiles.cut(frame)]))
        whole = squared(tiles.pad(frame)[None])[0, :rows, :columns]
    assert tiled.shape == (rows, columns)
    torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-6)


@settings(max_examples=12)
@given(st.integers(40, 3000), st.integers(40, 2000), st.integers(0, 100))
@example(40, 40, 0)
@example(3000, 2000, 0)
@example(225, 448, 0)
def test_thin_networks_on_tiles_equal_one_pass(
    thin_detector: MakeDetector, height: int, width: int, seed: int
) -> None:
    detector = thin_detector(seed)
    assert_tiles_equal_one_pass(detector.teacher, detector.student, height, width)


@pytest.mark.parametrize(("height", "width"), [(40, 40), (130, 260), (301, 228)])
def test_the_small_pdn_on_tiles_equals_one_pass(height: int, width: int) -> None:
    torch.manual_seed(0)
    teacher, student = build_teacher(PdnSize.SMALL, 8), pdn(PdnSize.SMALL, 16)
    assert_tiles_equal_one_pass(teacher.eval(), student, height, width)


def assert_peak(pixels: Tensor, at: tuple[int, int], steps: tuple[float, float]) -> None:
    """The largest pixels, a cell at most, lie within half a step of where they should be.

    Edge cells are repeated outwards, and an impulse may lie between two cells: several are equal.
    """
    for axis in (0, 1):
        largest = (pixels == pixels.max()).nonzero()[:, axis]
        assert (largest - at[axis]).abs().min() <= steps[axis] / 2 + 0.5  # a pixel's own half
        assert largest.max() - largest.min() <= steps[axis]


def unit_range(values: Tensor) -> NormalRange:
    return NormalRange(q_a=0, q_b=float(values.max()))


@pytest.mark.parametrize(
    ("height", "width"),
    [(256, 256), (40, 40), (100, 300), (233, 701), (640, 480), (1201, 90)],
)
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.2, 0.7), (0.91, 0.11), (0.33, 0.9)])
def test_an_impulse_peaks_where_it_is(
    bundle_of: MakeBundle, height: int, width: int, place: tuple[float, float]
) -> None:
    """Within half a step from cell to cell, of the coarser scale where two are fused."""
    y, x = int(place[0] * height), int(place[1] * width)
    frame = torch.zeros(3, height, width)
    frame[:, y, x] = 1
    blob = blob_detector()
    bundle = bundle_of({"whole": blob, "tiles": blob}, height, width)
    maps = Engine(bundle).look_at(frame)
    ranges = {
        name: ScaleRange(local=unit_range(raw.local), globally=unit_range(raw.globally))
        for name, raw in maps.items()
    }
    for names in (["whole"], ["tiles"], ["whole", "tiles"]):
        chosen = {name: maps[name] for name in names}
        fused = fuse(chosen, ranges, 0.5, {"whole": 1, "tiles": 1})
        dy, dx = (max(raw.placement.step[axis] for raw in chosen.values()) for axis in (0, 1))
        assert_peak(fused.placement.to_pixels(fused.values, (height, width)), (y, x), (dy, dx))


@pytest.mark.parametrize(("height", "width"), [(40, 40), (230, 301), (448, 224), (449, 225)])
def test_an_impulse_at_the_border_peaks_there(
    bundle_of: MakeBundle, height: int, width: int
) -> None:
    """Reflection at the frame's border moves no peak by more than half a cell."""
    engine = Engine(bundle_of({"tiles": blob_detector()}, height, width))
    for y, x in [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1), (3, width - 5)]:
        frame = torch.zeros(3, height, width)
        frame[:, y, x] = 1
        raw: RawMaps = engine.look_at(frame)["tiles"]
        assert_peak(raw.placement.to_pixels(raw.local, (height, width)), (y, x), (4, 4))
