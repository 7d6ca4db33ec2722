"""Brightness and sharpness by a sample are those of the frame, whatever its pixel format."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.simulator.parts import draw
from daemon.simulator.pixels import SENT, encode
from models.geometry import Box
from models.images import brightness, luma, sharpness, to_tensor
from models.light import light, luma_of
from models.pixel_format import PixelFormat
from models.pixels import RawFrame, to_rgb

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def part() -> Image:
    return draw(3, size=640).image


def raw(rgb: Image, pixel_format: PixelFormat) -> RawFrame:
    """A frame as the simulator's camera would send it."""
    sent = encode(rgb, pixel_format)
    return sent.astype(np.uint16) if pixel_format.bits > 8 else sent.astype(np.uint8)


def test_of_a_small_frame_it_is_all_of_it() -> None:
    small = draw(3, size=128).image
    seen = light(small, PixelFormat.RGB8)
    rgb = to_tensor(small)
    assert seen.brightness == pytest.approx(brightness(rgb), rel=1e-5)
    inner = rgb[:, 1:-1, 1:-1]  # the rim is left out
    assert seen.sharpness == pytest.approx(sharpness(inner) / seen.brightness**2, rel=1e-3)


def test_of_a_large_frame_it_is_near_that_of_all_of_it() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1000, 1200, 3), dtype=np.uint8)
    seen, rgb = light(noise, PixelFormat.RGB8), to_tensor(noise)
    assert seen.brightness == pytest.approx(brightness(rgb), rel=0.01)
    assert seen.sharpness * seen.brightness**2 == pytest.approx(sharpness(rgb), rel=0.05)


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize("size", [(40, 56), (41, 57), (2, 2)])
def test_the_luma_is_that_of_what_the_networks_see(
    pixel_format: PixelFormat, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(1)
    most = 4 * 2**pixel_format.bits if pixel_format.bits > 8 else 256  # out of range is cut
    values = rng.integers(0, most, pixel_format.shape(*size))
    frame = values.astype(np.uint16) if pixel_format.bits > 8 else values.astype(np.uint8)
    known = luma(to_rgb(torch.from_numpy(frame), pixel_format)).numpy()
    assert np.abs(luma_of(frame, pixel_format) - known).max() < 1e-5


@pytest.mark.parametrize("pixel_format", SENT)
def test_every_pixel_format_says_the_same_of_a_smooth_picture(pixel_format: PixelFormat) -> None:
    smooth = cv2.GaussianBlur(draw(3, size=640).image, (0, 0), 8)
    grey = np.repeat(smooth.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    known = light(grey, PixelFormat.RGB8)
    seen = light(raw(grey, pixel_format), pixel_format)
    assert seen.brightness == pytest.approx(known.brightness, rel=0.01)


def test_a_mosaic_keeps_its_colours() -> None:
    """Patches that began at odd pixels would take red for green."""
    red = np.zeros((655, 645, 3), np.uint8)
    red[..., 0] = 200
    known = light(red, PixelFormat.RGB8)
    region = Box(x=33, y=17, width=601, height=555)
    for box in (None, region):
        seen = light(raw(red, PixelFormat.BAYER_RG8), PixelFormat.BAYER_RG8, box)
        assert seen.brightness == pytest.approx(known.brightness, rel=1e-4)


def test_dimmed_is_darker_and_as_sharp(part: Image) -> None:
    before = light(part, PixelFormat.RGB8)
    after = light((part * 0.85).astype(np.uint8), PixelFormat.RGB8)
    assert after.brightness == pytest.approx(0.85 * before.brightness, rel=0.01)
    assert after.sharpness == pytest.approx(before.sharpness, rel=0.05)


def test_blurred_is_as_bright_and_less_sharp(part: Image) -> None:
    before = light(part, PixelFormat.RGB8)
    after = light(cv2.GaussianBlur(part, (0, 0), 1.5).astype(np.uint8), PixelFormat.RGB8)
    assert after.brightness == pytest.approx(before.brightness, rel=0.01)
    assert after.sharpness < 0.5 * before.sharpness


def test_only_the_region_is_looked_at(part: Image) -> None:
    region = Box(x=40, y=60, width=300, height=280)
    known = light(part, PixelFormat.RGB8, region)
    outside = np.full_like(part, 255)
    inside = np.s_[60:340, 40:340]
    outside[inside] = part[inside]
    assert light(outside, PixelFormat.RGB8, region) == known


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 40, 3), (300, 3, 3)])
def test_tiny_frames_have_no_sharpness_and_black_ones_neither(shape: tuple[int, ...]) -> None:
    assert light(np.full(shape, 9, np.uint8), PixelFormat.RGB8).sharpness == 0
    assert light(np.zeros((64, 64), np.uint8), PixelFormat.MONO8) == (0, 0)
