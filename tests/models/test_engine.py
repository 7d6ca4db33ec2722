"""An engine gives what the networks give, and proves it before it is used."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models import bundle as bundles
from models.bundle import Bundle
from models.detector import Detector, Maps
from models.engine import Engine
from models.errors import InputError
from models.geometry import Box, Tiles, Whole
from models.pixel_format import PixelFormat
from models.precision import TOLERANCE, Precision, has_bf16

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
            found[name] = Maps(cutting.join(local), cutting.join(globally))
    return found


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
    found = Engine(thin, region=box).look_at(rgb)
    alone = Engine(thin).look_at(rgb[:, 7:107, 30:230])
    for name, raw in found.items():
        assert torch.equal(raw.local, alone[name].local)
        assert torch.equal(raw.globally, alone[name].globally)
        assert raw.placement == alone[name].placement.shifted(7, 30)
    assert found["tiles"].placement.first == (9, 32)


def test_verification_takes_the_whole_reference_frame(trained: Bundle) -> None:
    box = Box(x=3, y=40, width=64, height=50)
    engine = Engine(trained, region=box)
    assert engine.verify() <= TOLERANCE[Precision.FP32]
    found = engine.look_at(trained.reference)["whole"].placement
    assert found == Whole(50, 64).placement.shifted(40, 3)


@pytest.mark.parametrize(("x", "y"), [(101, 0), (0, 181)])
def test_a_region_that_leaves_the_frame_is_refused(thin: Bundle, x: int, y: int) -> None:
    said = rf"200 x 100 at \({x}, {y}\) leaves the frame of 300 x 280 pixels"
    with pytest.raises(InputError, match=said):
        Engine(thin, region=Box(x=x, y=y, width=200, height=100))


def test_no_threads_are_refused(thin: Bundle) -> None:
    with pytest.raises(InputError, match="threads = 0"):
        Engine(thin, threads=0)


def test_the_fingerprint_names_what_decides_the_bits(thin: Bundle) -> None:
    one = Engine(thin).fingerprint
    assert one == Engine(replace(thin)).fingerprint
    others = {
        Engine(thin, precision=Precision.BF16).fingerprint,
        Engine(thin, threads=2).fingerprint,
    }
    assert len(others | {one}) == 3
    assert torch.__version__ in one
