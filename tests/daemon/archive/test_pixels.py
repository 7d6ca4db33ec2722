"""A kept frame comes back as the bytes that the camera sent."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.archive.pixels import digest, from_png, to_png
from models.pixel_format import PixelFormat
from models.pixels import RawFrame

SIDES = st.integers(1, 40)


def frame(pixel_format: PixelFormat, height: int, width: int, seed: int) -> RawFrame:
    values = np.random.default_rng(seed).integers(
        0, np.iinfo(pixel_format.dtype).max + 1, pixel_format.shape(height, width)
    )
    return values.astype(np.uint8) if pixel_format.bits == 8 else values.astype(np.uint16)


@given(st.sampled_from(PixelFormat), SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_every_format_comes_back_bit_for_bit(
    pixel_format: PixelFormat, height: int, width: int, seed: int
) -> None:
    pixels = frame(pixel_format, height, width, seed)
    back = from_png(b"".join(to_png(pixels, pixel_format)), pixel_format)
    assert back is not None
    assert (back.dtype, back.shape) == (pixels.dtype, pixels.shape)
    assert back.tobytes() == pixels.tobytes()
    assert digest(back) == digest(pixels)


def test_colours_are_stored_as_a_viewer_expects_them() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    bgr = red[..., ::-1].copy()
    for pixels, name in ((red, PixelFormat.RGB8), (bgr, PixelFormat.BGR8)):
        stored = cv2.imdecode(
            np.frombuffer(b"".join(to_png(pixels, name)), np.uint8), cv2.IMREAD_COLOR_RGB
        )
        assert stored is not None
        assert np.array_equal(stored, red)


@pytest.mark.parametrize("other", [PixelFormat.MONO12, PixelFormat.RGB8, PixelFormat.RGBA8])
def test_a_png_of_another_format_is_none(other: PixelFormat) -> None:
    content = b"".join(to_png(frame(PixelFormat.MONO8, 5, 5, 1), PixelFormat.MONO8))
    assert from_png(content, other) is None
    assert from_png(content[:40], PixelFormat.MONO8) is None
    assert from_png(b"", PixelFormat.MONO8) is None


def test_one_changed_pixel_changes_the_digest() -> None:
    pixels = frame(PixelFormat.MONO12, 5, 5, 1)
    changed = pixels.copy()
    changed[4, 4] ^= 1
    assert digest(changed) != digest(pixels)


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_frames_of_many_bands_come_back_and_take_no_more_room(pixel_format: PixelFormat) -> None:
    flat = np.zeros(pixel_format.shape(1001, 1203), pixel_format.dtype)
    noise = frame(pixel_format, 1001, 1203, 3)
    for pixels in (noise, flat.astype(noise.dtype)):
        content = b"".join(to_png(pixels, pixel_format))  # type: ignore[arg-type]
        back = from_png(content, pixel_format)
        assert back is not None
        assert back.tobytes() == pixels.tobytes()
        assert len(content) < 1.002 * pixels.nbytes + 1000
    assert len(content) < flat.nbytes / 50
