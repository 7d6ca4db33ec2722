"""Passes have one size, whatever is left for the last; and get smaller when memory runs out."""

from collections.abc import Callable, Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.bundle import Bundle
from models.detector import Detector, Maps
from models.engine import Engine
from models.mode import Mode
from models.passes import passes
from models.scope import Scope
from tests.models.thin import thin_detector

MakeBundle = Callable[[Mapping[str, Detector], int, int], Bundle]
HEIGHT, WIDTH = 600, 500  # nine tiles


@given(st.integers(0, 20), st.integers(1, 8))
def test_all_passes_have_one_size_and_hold_every_tile_once(tiles: int, at_once: int) -> None:
    given_ = [torch.full((3, 2, 2), float(n)) for n in range(1, tiles + 1)]
    found = list(passes(given_, at_once))
    assert all(len(stacked) == at_once for stacked, _ in found)
    kept = [tile for stacked, count in found for tile in stacked[:count]]
    assert [float(tile[0, 0, 0]) for tile in kept] == list(range(1, tiles + 1))
    assert not any(stacked[count:].any() for stacked, count in found)


@pytest.mark.parametrize("stride", [224, 112])
@pytest.mark.parametrize("at_once", [2, 4, 16])
def test_a_pass_of_many_gives_the_maps_of_passes_of_one(
    bundle_of: MakeBundle, at_once: int, stride: int
) -> None:
    bundle = bundle_of({"tiles": thin_detector(3)}, HEIGHT, WIDTH)
    rgb, scope = torch.rand(3, HEIGHT, WIDTH), Scope(tile_stride=stride)  # type: ignore[arg-type]
    one = Engine(bundle, scope=scope).look_at(rgb)["tiles"]
    many = Engine(bundle, scope=scope, at_once=at_once).look_at(rgb)["tiles"]
    torch.testing.assert_close(many.local, one.local, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(many.globally, one.globally, rtol=1e-4, atol=1e-6)


def test_what_runs_beside_a_tile_does_not_touch_its_bits(bundle_of: MakeBundle) -> None:
    bundle = bundle_of({"whole": thin_detector(1), "tiles": thin_detector(3)}, HEIGHT, WIDTH)
    rgb = torch.rand(3, HEIGHT, WIDTH)
    every = Engine(bundle, scope=Scope(Mode.TILES), at_once=4).look_at(rgb)["tiles"]
    adaptive = Engine(bundle, scope=Scope(Mode.ADAPTIVE), at_once=4)
    found = adaptive.asking(lambda *_: (2, 7)).look_at(rgb)["tiles"]
    assert found.computed is not None
    assert torch.equal(found.local[found.computed], every.local[found.computed])


class Scarce(nn.Module):
    """A teacher that has room for so many tiles a pass."""

    def __init__(self, net: nn.Module, room: int) -> None:
        super().__init__()
        self.net, self.room = net, room

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        found: Tensor = self.net(images)
        return found


def scarce(bundle_of: MakeBundle, room: int) -> Bundle:
    detector = thin_detector(3)
    detector.teacher.net = Scarce(detector.teacher.net, room)  # type: ignore[assignment]
    return bundle_of({"tiles": detector}, HEIGHT, WIDTH)


def test_out_of_memory_passes_get_smaller_and_the_engine_says_so(bundle_of: MakeBundle) -> None:
    rgb = torch.rand(3, HEIGHT, WIDTH)
    engine = Engine(scarce(bundle_of, 2), at_once=8)
    assert engine.fingerprint.endswith("/8-tiles")
    found: Maps | None = None
    for _ in range(2):
        raw = engine.look_at(rgb)["tiles"]
        found = Maps(raw.local, raw.globally)
        assert engine.fingerprint.endswith("/2-tiles"), "and stays so"
    wanted = Engine(bundle_of({"tiles": thin_detector(3)}, HEIGHT, WIDTH), at_once=2).look_at(rgb)
    assert found is not None
    assert torch.equal(found.local, wanted["tiles"].local)


def test_without_room_for_a_single_tile_it_fails(bundle_of: MakeBundle) -> None:
    engine = Engine(scarce(bundle_of, 0), at_once=8)
    with pytest.raises(torch.OutOfMemoryError):
        engine.look_at(torch.rand(3, HEIGHT, WIDTH))
    assert engine.fingerprint.endswith("/tile")
