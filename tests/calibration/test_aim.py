"""Focus, exposure and light of frames whose numbers can be worked out."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.aim import aim, clipped
from calibration.aim_picture import aim_picture
from daemon.simulator.parts import draw
from daemon.simulator.pixels import encode
from models.images import appearance, to_tensor
from models.pixel_format import PixelFormat


def flat(value: int, shape: tuple[int, ...] = (30, 60)) -> NDArray[np.uint8]:
    return np.full(shape, value, np.uint8)


def test_a_flat_frame() -> None:
    found = aim(flat(51), PixelFormat.MONO8)
    assert found.brightness == pytest.approx(0.2, abs=1e-6)
    assert found.contrast == pytest.approx(0, abs=1e-6)
    assert found.sharpness == pytest.approx(0, abs=1e-10)
    assert (found.black, found.white) == (0, 0)
    assert found.evenness == pytest.approx(1)
    assert (found.across, found.down) == pytest.approx((0, 0), abs=1e-6)
    assert found.histogram[51] == 30 * 60


def test_black_frames_divide_by_nothing() -> None:
    found = aim(flat(0), PixelFormat.MONO8)
    assert (found.black, found.white, found.evenness, found.across) == (1, 0, 0, 0)


def test_numbers_are_those_of_the_calibration() -> None:
    """The reference is what calibration measures of the same frame."""
    image = draw(3, size=128).image
    found, then = aim(image, PixelFormat.RGB8), appearance(to_tensor(image))
    assert found.brightness == pytest.approx(then.brightness, rel=1e-5)
    assert found.contrast == pytest.approx(then.contrast, rel=1e-5)
    assert found.sharpness == pytest.approx(then.sharpness, rel=1e-4)


def test_light_that_falls_off() -> None:
    """From 100 at the left to 200 at the right, plain from top to bottom."""
    ramp = np.linspace(100, 200, 90)
    frame = np.tile(np.round(ramp), (60, 1)).astype(np.uint8)
    found = aim(frame, PixelFormat.MONO8)
    assert found.across == pytest.approx(100 / 150, abs=0.01)
    assert found.down == pytest.approx(0, abs=1e-6)
    left, middle = ramp[:30].mean(), ramp[30:60].mean()
    assert found.evenness == pytest.approx(left / middle, abs=0.01)


def test_the_sharp_tile_is_found() -> None:
    """A chequerboard of single pixels in the tile right of the middle: Laplacian +-8 * 50 there."""
    frame = flat(100, (90, 90))
    board = np.indices((30, 30)).sum(0) % 2
    frame[30:60, 60:90] = 75 + 50 * board
    found = aim(frame, PixelFormat.MONO8)
    assert int(found.tiles.argmax()) == 5
    # Inside, each pixel differs from its four neighbours by 50: the Laplacian is +-200 / 255.
    assert found.tiles[1, 2] == pytest.approx((200 / 255) ** 2, rel=0.1)
    assert found.tiles[0, 0] == pytest.approx(0, abs=1e-10)


def test_clipping_is_told_by_the_pixel_format() -> None:
    mono = flat(7)
    mono[0, :6], mono[1, :9] = 255, 0
    found = aim(mono, PixelFormat.MONO8)
    assert (found.white, found.black) == (6 / 1800, 9 / 1800)
    deep = flat(7).astype(np.uint16)
    deep[0, :6], deep[1, 0] = 4095, 1023
    assert aim(deep, PixelFormat.MONO12).white == 6 / 1800


def test_a_saturated_colour_is_white_and_never_black() -> None:
    frame = flat(90, (9, 9, 4))
    frame[..., 3] = 255  # alpha is no light
    frame[0, 0, :3] = (255, 0, 0)
    frame[1, 1, :3] = 0
    dark, full = clipped(frame, PixelFormat.RGBA8)
    assert np.argwhere(full).tolist() == [[0, 0]]
    assert np.argwhere(dark).tolist() == [[1, 1]]


def test_the_picture_shows_every_clipped_pixel(tmp_path: Path) -> None:
    """A single white pixel of a large mosaic is still seen, red, in the smaller picture."""
    image = draw(1, size=1024).image
    frame = np.array(encode(image // 2 + 20, PixelFormat.BAYER_RG8), np.uint8)
    frame[700, 333] = 255
    found = aim(frame, PixelFormat.BAYER_RG8)
    picture = aim_picture(frame, PixelFormat.BAYER_RG8, found, {})
    cv2.imwrite(str(tmp_path / "aim.png"), picture[..., ::-1])
    red = np.argwhere((picture[:960] == (255, 0, 80)).all(-1))
    assert len(red) >= 1
    assert np.abs(red.mean(0) - np.array([700, 333]) * 960 / 1024).max() < 2
