"""An engine gives what the networks give, and proves it before it is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models import bundle as bundles
from models.bundle import Bundle
from models.calibration import RawMaps
from models.detector import Detector, Maps
from models.engine import Engine
from models.errors import InputError
from models.geometry import Box, Cutting, Tiles, TileStride, Whole
from models.mode import Mode
from models.pixel_format import PixelFormat
from models.precision import TOLERANCE, Precision, has_bf16
from models.scope import Scope
from tests.models.thin import Passes

MakeDetector = Callable[[int], Detector]
MakeBundle = Callable[[Mapping[str, Detector], int, int], Bundle]
needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="the processor has no bf16 products")


@pytest.fixture
def thin(thin_detector: MakeDetector, bundle_of: MakeBundle) -> Bundle:
    return bundle_of({"whole": thin_detector(1), "tiles": thin_detector(2)}, 280, 300)


@pytest.fixture
def trained(tiny_bundle: Path) -> Bundle:
    return bundles.load(tiny_bundle)


def plain(bundle: Bundle, rgb: Tensor) -> dict[str, Maps]:
    """The networks in fp32, a tile at a time."""
    height, width = rgb.shape[-2:]
    found = {}
    with torch.inference_mode():
        for name, detector in bundle.detectors.items():
            cutting = bundle.cutting(name, height, width)
            maps = [detector(tile[None]) for tile in cutting.cut(rgb)]
            local, globally = (torch.cat([m[i] for m in maps]) for i in (0, 1))
            found[name] = Maps(cutting.join(local), blended(cutting, globally))
    return found


def blended(cutting: Cutting, maps: Tensor) -> Tensor:
    """The mean of each cell's tiles, weighed by raised cosines, in float64."""
    if not isinstance(cutting, Tiles):
        return maps[0]
    line = np.sin(np.pi * (np.arange(56) + 0.5) / 56) ** 2
    above, below = np.zeros((2, 999, 999))
    for (row, column), tile in zip(cutting.origins, maps.double().numpy(), strict=True):
        at = np.s_[row : row + 56, column : column + 56]
        above[at] += np.outer(line, line) * tile
        below[at] += np.outer(line, line)
    rows, columns = cutting.cells
    return torch.from_numpy(above[:rows, :columns] / below[:rows, :columns]).float()


def test_maps_are_those_of_the_networks(thin: Bundle) -> None:
    rgb = torch.rand(3, 280, 300)
    expected = plain(thin, rgb)
    found = Engine(thin).look_at(rgb)
    assert found.keys() == {"whole", "tiles"}
    assert found["whole"].placement == Whole(280, 300).placement
    assert found["tiles"].placement == Tiles(280, 300).placement
    for name, raw in found.items():
        assert raw.local.shape == raw.globally.shape == raw.placement.cells
        torch.testing.assert_close(raw.local, expected[name].local, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(raw.globally, expected[name].globally, rtol=1e-4, atol=1e-6)


def test_a_frame_is_brought_to_rgb_first(thin: Bundle) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (280, 300, 3), np.uint8)
    engine = Engine(thin)
    found = engine.look(frame, PixelFormat.BGR8)
    expected = engine.look_at(torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1) / 255)
    assert torch.equal(found["tiles"].local, expected["tiles"].local)


@pytest.mark.parametrize(
    "precision", [Precision.FP32, pytest.param(Precision.BF16, marks=needs_bf16)]
)
def test_the_same_frame_gives_the_same_bits(trained: Bundle, precision: Precision) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8)
    engine = Engine(trained, precision=precision)
    first = engine.look(frame, PixelFormat.MONO8)["whole"]
    engine.look(255 - frame, PixelFormat.MONO8)
    again = engine.look(frame, PixelFormat.MONO8)["whole"]
    assert torch.equal(first.local, again.local)
    assert torch.equal(first.globally, again.globally)


@pytest.mark.parametrize(
    "precision", [Precision.FP32, pytest.param(Precision.BF16, marks=needs_bf16)]
)
def test_each_precision_is_within_its_tolerance(trained: Bundle, precision: Precision) -> None:
    worst = Engine(trained, precision=precision).verify()
    assert worst <= TOLERANCE[precision]
    assert (worst > 1e-4) == (precision is Precision.BF16)  # it was not fp32 that ran


@pytest.mark.parametrize("weights", ["teacher.net", "student", "autoencoder"])
def test_a_network_that_computes_something_else_is_refused(trained: Bundle, weights: str) -> None:
    engine = Engine(trained)
    bias = list(trained.detectors["whole"].get_submodule(weights).parameters())[-1]
    bias.data += 0.5
    with pytest.raises(InputError, match=r"^engine torch-[^\n]*differs[^\n]*0.10% is allowed"):
        engine.verify()


def test_maps_that_are_no_numbers_are_refused(trained: Bundle) -> None:
    next(trained.detectors["whole"].student.parameters()).data.fill_(torch.nan)
    with pytest.raises(InputError, match="differs from the bundle's reference maps"):
        Engine(trained).verify()


def test_a_region_is_looked_at_alone_and_placed_in_the_frame(thin: Bundle) -> None:
    rgb = torch.rand(3, 280, 300)
    box = Box(x=30, y=7, width=200, height=100)
    found = Engine(thin, scope=Scope(region=box)).look_at(rgb)
    alone = Engine(thin).look_at(rgb[:, 7:107, 30:230])
    for name, raw in found.items():
        assert torch.equal(raw.local, alone[name].local)
        assert torch.equal(raw.globally, alone[name].globally)
        assert raw.placement == alone[name].placement.shifted(7, 30)
    assert found["tiles"].placement.first == (9, 32)


def test_verification_takes_the_whole_reference_frame(trained: Bundle) -> None:
    box = Box(x=3, y=40, width=64, height=50)
    engine = Engine(trained, scope=Scope(region=box))
    assert engine.verify() <= TOLERANCE[Precision.FP32]
    found = engine.look_at(trained.reference)["whole"].placement
    assert found == Whole(50, 64).placement.shifted(40, 3)


@pytest.mark.parametrize("stride", [112, 56])
@pytest.mark.parametrize(("height", "width"), [(600, 500), (40, 500)])
def test_overlapping_tiles_blend_the_global_map_alone(
    thin_detector: MakeDetector,
    bundle_of: MakeBundle,
    stride: TileStride,
    height: int,
    width: int,
) -> None:
    bundle = bundle_of({"tiles": thin_detector(3)}, height, width)
    rgb = torch.rand(3, height, width)
    abutting = Engine(bundle).look_at(rgb)["tiles"]
    found = Engine(bundle, scope=Scope(tile_stride=stride)).look_at(rgb)["tiles"]
    cutting = Tiles(height, width, stride)
    with torch.inference_mode():
        maps = torch.cat([bundle.detectors["tiles"](t[None]).globally for t in cutting.cut(rgb)])
    torch.testing.assert_close(found.globally, blended(cutting, maps), rtol=1e-4, atol=1e-5)
    assert torch.equal(found.local, abutting.local)
    assert found.placement == abutting.placement
    assert not torch.allclose(found.globally, abutting.globally, rtol=0.01)


def test_between_tiles_that_abut_the_autoencoder_runs_alone(
    thin_detector: MakeDetector, bundle_of: MakeBundle
) -> None:
    detector = thin_detector(3)
    passes = Passes(detector)
    bundle = bundle_of({"tiles": detector}, 448, 448)
    Engine(bundle, scope=Scope(tile_stride=112)).look_at(torch.rand(3, 448, 448))
    assert (passes.teacher, passes.autoencoder) == (4, 9)


@pytest.mark.parametrize(
    ("mode", "scales"),
    [
        (Mode.WHOLE, {"whole"}),
        (Mode.TILES, {"tiles"}),
        (Mode.PYRAMID, {"whole", "tiles"}),
        (None, {"whole", "tiles"}),
    ],
)
def test_a_mode_looks_at_its_scales_alone(
    thin_detector: MakeDetector, bundle_of: MakeBundle, mode: Mode | None, scales: set[str]
) -> None:
    detectors = {"whole": thin_detector(1), "tiles": thin_detector(2)}
    passes = {name: Passes(detector) for name, detector in detectors.items()}
    rgb = torch.rand(3, 280, 300)
    bundle = bundle_of(detectors, 280, 300)
    found = Engine(bundle, scope=Scope(mode)).look_at(rgb)
    assert found.keys() == scales
    assert {name for name, seen in passes.items() if seen.teacher} == scales
    every = Engine(bundle).look_at(rgb)
    assert all(torch.equal(raw.local, every[name].local) for name, raw in found.items())


def test_a_mode_that_the_bundle_lacks_a_scale_for_is_refused(
    thin_detector: MakeDetector, bundle_of: MakeBundle
) -> None:
    bundle = bundle_of({"whole": thin_detector(1)}, 280, 300)
    said = (
        "mode adaptive takes the scale tiles, and the bundle has whole; allowed here: whole."
        " Or train a bundle with --scales whole tiles"
    )
    with pytest.raises(InputError, match=said):
        Engine(bundle, scope=Scope(Mode.ADAPTIVE))


def test_only_what_is_asked_for_is_computed(
    thin_detector: MakeDetector, bundle_of: MakeBundle
) -> None:
    """As the pyramid where it is, 0 elsewhere; and the whole is what was asked."""
    detectors = {"whole": thin_detector(1), "tiles": thin_detector(2)}
    bundle = bundle_of(detectors, 600, 500)
    rgb = torch.rand(3, 600, 500)
    every = Engine(bundle).look_at(rgb)
    asked: list[Tensor] = []

    def ask(whole: RawMaps, tiles: Tiles, kept: Sequence[int]) -> tuple[int, ...]:
        assert tiles == Tiles(600, 500)
        assert tuple(kept) == tuple(range(9))
        asked.append(whole.local)
        return 1, 8

    engine = Engine(bundle, scope=Scope(Mode.ADAPTIVE)).asking(ask)
    passes = Passes(detectors["tiles"])
    found = engine.look_at(rgb)
    assert passes.teacher == passes.autoencoder == 2
    assert torch.equal(asked[0], every["whole"].local)
    raw = found["tiles"]
    assert raw.computed is not None
    expected = torch.zeros(150, 125, dtype=torch.bool)
    expected[0:56, 56:112] = expected[94:150, 69:125] = True
    assert torch.equal(raw.computed, expected)
    torch.testing.assert_close(raw.local, every["tiles"].local * expected)
    assert torch.equal(raw.globally[0:56, 56:69], every["tiles"].globally[0:56, 56:69])
    assert not raw.globally[~expected].any()
    again = engine.look_at(rgb)["tiles"]
    assert torch.equal(again.globally, raw.globally)


@pytest.mark.parametrize("stride", [224, 112])
def test_none_and_all_tiles_may_be_asked_for(thin: Bundle, stride: TileStride) -> None:
    rgb = torch.rand(3, 280, 300)
    engine = Engine(thin, scope=Scope(Mode.ADAPTIVE, tile_stride=stride))
    none = engine.asking(lambda *_: ()).look_at(rgb)["tiles"]
    assert none.computed is not None
    assert not none.computed.any()
    assert not none.local.any()
    assert none.local.shape == (70, 75)
    every = engine.look_at(rgb)["tiles"]
    asked = engine.asking(lambda whole, tiles, kept: tuple(kept)).look_at(rgb)["tiles"]
    assert asked.computed is every.computed is None
    assert torch.equal(asked.local, every.local)
    assert torch.equal(asked.globally, every.globally)


def test_tiles_without_part_are_not_computed(
    thin_detector: MakeDetector, bundle_of: MakeBundle
) -> None:
    """Of 3 x 3 tiles a column and a corner; cells are told in the frame, also with a region."""
    detectors = {"whole": thin_detector(1), "tiles": thin_detector(2)}
    passes = Passes(detectors["tiles"])
    bundle = bundle_of(detectors, 700, 720)
    ignored = np.zeros((700, 720), np.bool_)
    ignored[:, :264] = True  # the region's first 224 columns, all of its first tiles
    ignored[20:264, :488] = True
    scope = Scope(region=Box(x=40, y=20, width=600, height=672), ignored=ignored)
    rgb = torch.rand(3, 700, 720)
    found = Engine(bundle, scope=scope).look_at(rgb)
    assert passes.teacher == 9 - 3 - 1
    free = Engine(bundle, scope=Scope(region=scope.region)).look_at(rgb)
    for name, raw in found.items():
        assert raw.ignored is not None
        assert torch.equal(raw.local[raw.counted], free[name].local[raw.counted])
        assert raw.placement == free[name].placement
    tiles = found["tiles"].ignored
    assert tiles is not None
    expected = torch.zeros(168, 150, dtype=torch.bool)
    expected[:, :56] = True
    expected[:61, :112] = True
    assert torch.equal(tiles, expected)


def test_a_mask_of_another_size_is_refused(thin: Bundle) -> None:
    with pytest.raises(InputError, match="the ignore mask has 20 x 10 pixels, and the frame 300"):
        Engine(thin, scope=Scope(ignored=np.zeros((10, 20), np.bool_)))


def test_a_mask_over_all_of_the_region_is_refused(thin: Bundle) -> None:
    ignored = np.zeros((280, 300), np.bool_)
    ignored[10:100, 10:100] = True
    with pytest.raises(InputError, match="covers all of the region_of_interest, 60 x 50 at"):
        Engine(thin, scope=Scope(region=Box(x=20, y=30, width=60, height=50), ignored=ignored))


@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_is_verified_on_its_scales(thin: Bundle, mode: Mode) -> None:
    """Whatever the recipe looks at, the reference is of whole frames and tiles that abut."""
    rgb = torch.rand(3, 280, 300)
    bundle = replace(thin, reference=rgb, reference_maps=plain(thin, rgb))
    ignored = np.zeros((280, 300), np.bool_)
    ignored[:, :200] = True
    scope = Scope(mode, Box(x=100, y=0, width=150, height=100), ignored, 112, lambda *_: ())
    assert Engine(bundle, scope=scope).verify() < 1e-4
    for name in bundle.detectors:
        maps = {**bundle.reference_maps}
        maps[name] = Maps(maps[name].local, maps[name].globally + maps[name].globally.max() / 10)
        other = Engine(replace(bundle, reference_maps=maps), scope=scope)
        if name in mode.scales:
            with pytest.raises(InputError, match="differs from the bundle's reference maps"):
                other.verify()
        else:
            assert other.verify() < 1e-4


@pytest.mark.parametrize(("x", "y"), [(101, 0), (0, 181)])
def test_a_region_that_leaves_the_frame_is_refused(thin: Bundle, x: int, y: int) -> None:
    said = rf"200 x 100 at \({x}, {y}\) leaves the frame of 300 x 280 pixels"
    with pytest.raises(InputError, match=said):
        Engine(thin, scope=Scope(region=Box(x=x, y=y, width=200, height=100)))


def test_no_threads_are_refused(thin: Bundle) -> None:
    with pytest.raises(InputError, match="threads = 0"):
        Engine(thin, threads=0)


def test_the_fingerprint_names_what_decides_the_bits(thin: Bundle) -> None:
    one = Engine(thin).fingerprint
    assert one == Engine(replace(thin)).fingerprint
    others = {
        Engine(thin, precision=Precision.BF16).fingerprint,
        Engine(thin, threads=2).fingerprint,
        Engine(thin, scope=Scope(tile_stride=112)).fingerprint,
    }
    assert len(others | {one}) == 4
    assert torch.__version__ in one
