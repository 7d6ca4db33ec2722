"""Spoilt frames: the same for a name, on the part, within region and mask, as large as asked."""

from collections import Counter

import numpy as np
import pytest
import torch

from daemon.simulator.parts import draw
from models.geometry import TILE, Box
from models.images import to_tensor
from models.scope import Scope
from training.settings import Synthetic
from training.synthetic.foreground import foreground
from training.synthetic.frames import MOST, chosen, spoil

NAMES = [f"{n:016x}" for n in range(10, 22)]


def frame(size: int = 160) -> torch.Tensor:
    return to_tensor(draw(3, size=size).image)


@pytest.mark.parametrize("name", NAMES)
def test_what_shows_is_what_changed_and_the_good_frame_stays(name: str) -> None:
    rgb = frame()
    before = rgb.clone()
    made = spoil(rgb, name, Scope(), fine=False)
    assert made is not None
    assert torch.equal(rgb, before)
    change = (made.rgb - rgb).abs().amax(dim=0).numpy()
    assert np.array_equal(change >= 8 / 255, made.visible)
    assert made.visible.any()
    assert made.rgb.min() >= 0
    assert made.rgb.max() <= 1
    again = spoil(rgb, name, Scope(), fine=False)
    assert again is not None
    assert torch.equal(again.rgb, made.rgb)


def test_all_kinds_occur_and_names_differ() -> None:
    made = [spoil(frame(), name, Scope(), fine=False) for name in NAMES]
    kinds = Counter(one.kind for one in made if one is not None)
    assert set(kinds) == set(Synthetic)
    places = {one.visible.tobytes() for one in made if one is not None}
    assert len(places) == len(NAMES)


def test_defects_lie_on_the_part() -> None:
    rgb = frame(256)
    part = foreground(rgb.permute(1, 2, 0).numpy())
    assert 0.1 < part.mean() < 0.9, "the drawn part lies on a background"
    for name in NAMES:
        made = spoil(rgb, name, Scope(), fine=False)
        assert made is not None
        assert (made.visible & part).any()


def test_nothing_is_put_outside_the_region() -> None:
    box = Box(x=40, y=60, width=64, height=72)
    for name in NAMES:
        made = spoil(frame(), name, Scope(region=box), fine=False)
        assert made is not None
        made.visible[60 : 60 + 72, 40 : 40 + 64] = False
        assert not made.visible.any()


def test_nothing_is_centred_on_what_is_ignored() -> None:
    ignored = np.ones((160, 160), np.bool_)
    ignored[70:90, 70:90] = False
    for name in NAMES:
        made = spoil(frame(), name, Scope(ignored=ignored), fine=False)
        if made is not None:
            rows, columns = np.nonzero(made.visible)
            assert abs(rows.mean() - 80) < 50
            assert abs(columns.mean() - 80) < 50
    everything = np.ones((160, 160), np.bool_)
    assert spoil(frame(), NAMES[0], Scope(ignored=everything), fine=False) is None


def test_fine_defects_go_by_a_native_tile() -> None:
    rgb = frame(700)
    for name in NAMES[:4]:
        made = spoil(rgb, name, Scope(), fine=True)
        assert made is not None
        rows, columns = np.nonzero(made.visible)
        assert np.ptp(rows) < TILE
        assert np.ptp(columns) < TILE


def test_frames_are_chosen_evenly_and_once() -> None:
    assert chosen(3) == [0, 1, 2]
    assert len(set(chosen(1000))) == MOST
    assert chosen(1000)[0] == 0
    assert chosen(1000)[-1] == 999
