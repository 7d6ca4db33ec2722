"""Each pixel format against a plain reading of its name."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.pixel_format import PixelFormat
from models.pixels import RawFrame, upload
from models.pixels import to_rgb as to_rgb_of

BAYER = [PixelFormat(f"Bayer{name}8") for name in ("RG", "GR", "GB", "BG")]
SIZES = st.integers(2, 40)


def to_rgb(frame: RawFrame, pixel_format: PixelFormat) -> torch.Tensor:
    return to_rgb_of(upload(frame, torch.device("cpu")), pixel_format)


def mosaic(rgb: NDArray[np.uint8], pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """What a sensor sees: the name gives the first row's two colours."""
    first = pixel_format.removeprefix("Bayer")[:2]
    second = {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[first]
    frame = np.empty(rgb.shape[:2], np.uint8)
    for row, colours in enumerate((first, second)):
        for column, colour in enumerate(colours):
            frame[row::2, column::2] = rgb[row::2, column::2, "RGB".index(colour)]
    return frame


@given(SIZES, SIZES, st.sampled_from(["Mono8", "RGB8", "BGR8", "RGBa8"]), st.integers(0, 999))
def test_eight_bits_are_divided_by_255(height: int, width: int, name: str, seed: int) -> None:
    pixel_format = PixelFormat(name)
    shape = pixel_format.shape(height, width)
    frame = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    planes = {
        "Mono8": lambda: [frame] * 3,
        "RGB8": lambda: [frame[..., c] for c in (0, 1, 2)],
        "BGR8": lambda: [frame[..., c] for c in (2, 1, 0)],
        "RGBa8": lambda: [frame[..., c] for c in (0, 1, 2)],
    }[name]()
    found = to_rgb(frame, pixel_format)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), np.stack(planes).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(("name", "largest"), [("Mono10", 1023), ("Mono12", 4095)])
def test_deep_mono_is_divided_by_its_largest_value(name: str, largest: int) -> None:
    frame = np.array([[0, 1, largest], [largest - 1, 5, 77]], np.uint16)
    found = to_rgb(frame, PixelFormat(name))
    assert found.shape == (3, 2, 3)
    for plane in found.numpy():
        np.testing.assert_allclose(plane, frame / largest, rtol=1e-6)
    above = to_rgb(np.full((2, 2), 65535, np.uint16), PixelFormat(name))
    assert above.max() == 1


@pytest.mark.parametrize("pixel_format", BAYER)
@pytest.mark.parametrize("colour", [(200, 100, 50), (255, 0, 0), (0, 255, 0), (0, 0, 255)])
def test_a_mosaic_of_one_colour_is_that_colour(
    pixel_format: PixelFormat, colour: tuple[int, int, int]
) -> None:
    rgb = np.full((12, 14, 3), colour, np.uint8)
    found = to_rgb(mosaic(rgb, pixel_format), pixel_format)
    assert found.shape == (3, 12, 14)
    plain = torch.tensor(colour, dtype=torch.float32).view(3, 1, 1) / 255
    assert torch.equal(found, plain.expand(3, 12, 14))


@pytest.mark.parametrize("pixel_format", BAYER)
def test_a_coloured_block_stays_where_it_is(pixel_format: PixelFormat) -> None:
    rgb = np.zeros((20, 36, 3), np.uint8)
    rgb[4:10, 16:28] = (250, 20, 90)
    found = to_rgb(mosaic(rgb, pixel_format), pixel_format).numpy()
    inner, outer = np.zeros((20, 36), bool), np.ones((20, 36), bool)
    inner[5:9, 17:27] = True  # bilinear: a pixel's neighbours reach into it
    outer[3:11, 15:29] = False
    expected = np.array([250, 20, 90], np.float32) / np.float32(255)
    assert (found[:, inner] == expected[:, None]).all()
    assert (found[:, outer] == 0).all()


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_memory_that_may_not_be_written_is_read(pixel_format: PixelFormat) -> None:
    frame = np.zeros(pixel_format.shape(8, 6), pixel_format.dtype)
    frame.flags.writeable = False
    found = to_rgb(frame, pixel_format)
    assert found.shape == (3, 8, 6)
    assert frame.nbytes == pixel_format.size(8, 6)


def test_the_result_does_not_share_the_cameras_memory() -> None:
    frame = np.zeros((8, 6, 3), np.uint8)
    found = to_rgb(frame, PixelFormat.RGB8)
    frame[:] = 255
    assert found.max() == 0


@pytest.mark.parametrize("pixel_format", BAYER)
def test_a_tall_mosaic_has_no_seams(pixel_format: PixelFormat) -> None:
    """It is worked on in bands of rows; a crop at even pixels gives the same, but for its rim."""
    frame = np.random.default_rng(0).integers(0, 256, (600, 6), np.uint8)
    whole = to_rgb(frame, pixel_format)
    for top in (240, 500):
        crop = to_rgb(frame[top : top + 40], pixel_format)
        assert torch.equal(whole[:, top + 1 : top + 39], crop[:, 1:-1])
