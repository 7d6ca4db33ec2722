"""Synthetic anomalies: what changes, and nothing else; on the part; and which cells see it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from daemon.simulator.parts import draw
from models.geometry import CELLS
from models.images import to_tensor
from tests.training.networks import thin_pdn
from training.settings import Synthetic
from training.synthetic.anomaly import VISIBLE, Anomaly, Cells, anomaly, cells, windows
from training.synthetic.foreground import foreground
from training.synthetic.injection import Injection
from training.synthetic.noise import noise
from training.synthetic.perlin import perlin_noise
from training.synthetic.textures import distorted


def a_part(seed: int) -> Tensor:
    return to_tensor(draw(seed, size=256).image)


def other(random: np.random.Generator) -> Tensor:
    return a_part(int(random.integers(3)) + 10)


def injected(kind: Synthetic, seed: int) -> tuple[NDArray[np.float32], Anomaly]:
    tile = a_part(seed % 3)
    before = tile.clone()
    inject = Injection(kind, 1.0, other)
    found = inject(tile, np.random.default_rng(seed))
    assert torch.equal(tile, before)
    assert found is not None
    return tile.permute(1, 2, 0).numpy(), found


@pytest.mark.parametrize("kind", Synthetic)
@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_the_mask_is_exactly_what_changed(kind: Synthetic, seed: int) -> None:
    good, found = injected(kind, seed)
    assert found.image.dtype == np.float32
    assert found.image.min() >= 0
    assert found.image.max() <= 1
    difference = np.abs(found.image - good).max(axis=2)
    np.testing.assert_array_equal(found.changed, difference > 0)
    np.testing.assert_array_equal(found.visible, difference >= VISIBLE)
    assert found.visible.sum() > 0
    assert found.changed.mean() < 0.25
    again = injected(kind, seed)[1]
    np.testing.assert_array_equal(again.image, found.image)


@pytest.mark.parametrize("kind", Synthetic)
def test_anomalies_lie_on_the_part(kind: Synthetic) -> None:
    """None is centred on the background, so that most of each is on the part."""
    for seed in range(12):
        good, found = injected(kind, seed)
        assert foreground(good)[found.visible].mean() > 0.3


def test_anomalies_come_with_their_probability() -> None:
    tile = torch.rand(3, 256, 256)
    inject = Injection(Synthetic.NOISE, 0.4, other)
    random = np.random.default_rng(0)
    found = [inject(tile, random) is not None for _ in range(300)]
    assert np.mean(found) == pytest.approx(0.4, abs=0.08)


def test_noise_is_one_to_four_squares_of_a_fortieth_to_a_tenth() -> None:
    """Section 4.1.3."""
    image = np.full((400, 400, 3), 0.5, np.float32)
    part = np.ones((400, 400), bool)
    counts, sides = set(), set()
    for seed in range(60):
        random = np.random.default_rng(seed)
        changed = np.abs(noise(image, part, random) - image).max(axis=2) > 0
        random = np.random.default_rng(seed)
        expected = np.zeros((400, 400), bool)
        count = int(random.integers(1, 5))
        for _ in range(count):
            side = round(400 * random.uniform(1 / 40, 1 / 10))
            place = random.integers(400 * 400)
            row, column = divmod(int(place), 400)
            top = min(max(row - side // 2, 0), 400 - side)
            left = min(max(column - side // 2, 0), 400 - side)
            expected[top : top + side, left : left + side] = True
            random.normal(size=(side, side, 3))
            sides.add(side)
        np.testing.assert_array_equal(changed, expected)
        counts.add(count)
    assert counts == {1, 2, 3, 4}
    assert min(sides) in (10, 11)
    assert max(sides) in (39, 40)


def plain_cells(visible: NDArray[np.bool_], changed: NDArray[np.bool_]) -> Cells:
    """DESIGN.md section 5: cell i sees pixels 4 i to 4 i + 32, answers for 4 i + 14 to 4 i + 17."""
    on, touched = (torch.zeros(CELLS, CELLS, dtype=torch.bool) for _ in range(2))
    for row, column in np.ndindex(CELLS, CELLS):
        y, x = 4 * row, 4 * column
        on[row, column] = bool(visible[y + 14 : y + 18, x + 14 : x + 18].sum() >= 8)
        touched[row, column] = bool(changed[y : y + 33, x : x + 33].any())
    return Cells(on, touched)


@pytest.mark.parametrize("kind", Synthetic)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cells_are_told_by_geometry(kind: Synthetic, seed: int) -> None:
    _, found = injected(kind, seed)
    expected = plain_cells(found.visible, found.changed)
    on, touched = cells(found)
    assert torch.equal(on, expected.on)
    assert torch.equal(touched, expected.touched)
    assert not (on & ~touched).any()


@pytest.mark.parametrize(("y", "x"), [(0, 0), (3, 5), (100, 101), (32, 33), (250, 252), (253, 9)])
def test_a_pixel_touches_the_cells_that_a_pdn_sees_it_with(y: int, x: int) -> None:
    """Held against a network: its features change at the touched cells, and there alone."""
    net = nn.Conv2d(3, 1, 33, stride=4)
    good = np.full((256, 256, 3), 0.5, np.float32)
    spoilt = good.copy()
    spoilt[y, x] = 1
    with torch.inference_mode():
        seen = [net(torch.from_numpy(i).permute(2, 0, 1)[None]) for i in (good, spoilt)]
    differs = (seen[0] != seen[1]).any(dim=1)[0]
    touched = cells(anomaly(good, spoilt)).touched
    assert torch.equal(differs, touched)


@pytest.mark.parametrize("kind", Synthetic)
@pytest.mark.parametrize("seed", range(4))
def test_windows_give_the_features_of_the_whole_tile(kind: Synthetic, seed: int) -> None:
    _, found = injected(kind, seed)
    on, _ = cells(found)
    torch.manual_seed(0)
    net = thin_pdn(2)
    with torch.inference_mode():
        whole = net(torch.from_numpy(found.image).permute(2, 0, 1)[None])[0]
        parts = [net(window.pixels[None])[0][:, window.on] for window in windows(found, on)]
    expected = whole[:, on]
    got = torch.cat([torch.empty(2, 0), *parts], dim=1)
    assert got.shape == expected.shape
    torch.testing.assert_close(
        got.flatten().sort().values, expected.flatten().sort().values, rtol=1e-5, atol=1e-5
    )


def test_no_cell_needs_no_window() -> None:
    good = np.zeros((256, 256, 3), np.float32)
    spoilt = good.copy()
    spoilt[3, 3] = 1  # seen by a cell, and answered for by none
    on, touched = cells(anomaly(good, spoilt))
    assert touched.sum() == 1
    assert windows(anomaly(good, spoilt), on) == ()


def test_the_part_is_told_from_its_background() -> None:
    image = np.full((256, 256, 3), 0.1, np.float32)
    image[60:200, 40:220] = (0.6, 0.5, 0.4)
    image += np.random.default_rng(0).normal(0, 0.01, image.shape).astype(np.float32)
    expected = np.zeros((256, 256), bool)
    expected[60:200, 40:220] = True
    assert (foreground(image.clip(0, 1)) != expected).mean() < 0.02
    assert (foreground(1 - image.clip(0, 1)) != expected).mean() < 0.02  # backlit


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_without_a_background_all_is_part(level: float) -> None:
    plain = np.full((256, 256, 3), level, np.float32)
    plain += np.random.default_rng(0).normal(0, 0.02, plain.shape).astype(np.float32)
    assert foreground(plain.clip(0, 1)).all()


def test_perlin_noise_is_smooth_and_0_on_its_grid() -> None:
    values = perlin_noise((64, 96), [4, 8], np.random.default_rng(0))
    assert values.shape == (64, 96)
    assert np.abs(values[::16, ::12]).max() < 1e-6
    assert 0.3 < np.abs(values).max() <= 1
    assert np.abs(np.diff(values, axis=0)).max() < 0.2
    assert np.abs(np.diff(values, axis=1)).max() < 0.3


def test_textures_are_unlike_their_part() -> None:
    image = a_part(0).permute(1, 2, 0).numpy()
    for seed in range(10):
        texture = distorted(image, np.random.default_rng(seed))
        assert texture.shape == image.shape
        assert texture.dtype == np.float32
        assert 0 <= texture.min() <= texture.max() <= 1
        assert np.abs(texture - image).mean() > 0.05
