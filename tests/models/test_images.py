"""Images on disk, and what is said of them as a whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import InputError
from models.images import (
    SUFFIXES,
    brightness,
    find_images,
    image_sharpness,
    luma,
    read_rgb,
    sharpness,
    to_tensor,
)

RGB = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)


def test_images_are_found_by_suffix_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.tiff", "notes.txt", "mask.npy"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.png").touch()
    assert [p.name for p in find_images(tmp_path)] == ["a.jpg", "b.PNG", "c.tiff"]


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s in (".png", ".bmp", ".tif", ".tiff")])
def test_lossless_images_are_read_as_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Prüfling 1{suffix}"
    path.write_bytes(cv2.imencode(suffix, RGB[..., ::-1])[1].tobytes())
    assert np.array_equal(read_rgb(path), RGB)


def test_grey_images_are_read_as_rgb(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(cv2.imencode(".png", RGB[..., 0])[1].tobytes())
    assert np.array_equal(read_rgb(path), np.repeat(RGB[..., :1], 3, axis=2))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_of_16_bits_the_upper_8_are_read(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (7, 9, channels), np.uint16)
    deep[0, :4] = np.array([0, 255, 256, 65535])[:, None]
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(cv2.imencode(suffix, deep[..., ::-1])[1].tobytes())
    upper = np.broadcast_to(deep >> 8, (7, 9, 3))
    assert np.array_equal(read_rgb(path), upper)


def test_alpha_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "alpha.png"
    seen = np.dstack([RGB[..., ::-1], np.arange(63, dtype=np.uint8).reshape(7, 9)])
    path.write_bytes(cv2.imencode(".png", seen)[1].tobytes())
    assert np.array_equal(read_rgb(path), RGB)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    whole = cv2.imencode(suffix, np.tile(RGB, (20, 20, 1)))[1].tobytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(InputError, match="not a readable image"):
        read_rgb(path)


@pytest.mark.parametrize("image", [RGB[..., 0], RGB])
def test_floating_point_is_refused(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    path = tmp_path / "float.tiff"
    path.write_bytes(cv2.imencode(".tiff", image.astype(np.float32))[1].tobytes())
    with pytest.raises(InputError, match=r"float\.tiff: (not a read|float32 a channel)"):
        read_rgb(path)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.png: No such file"):
        read_rgb(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"folder\.png: Is a directory"):
        read_rgb(tmp_path / "folder.png")


def test_to_tensor_divides_by_255() -> None:
    found = to_tensor(RGB)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), RGB.transpose(2, 0, 1).astype(np.float32) / 255)


def test_luma_weighs_the_colours() -> None:
    plain = RGB / 255 @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(luma(to_tensor(RGB)).numpy(), plain, atol=1e-6)
    assert brightness(to_tensor(RGB)) == pytest.approx(plain.mean(), abs=1e-6)


def test_sharpness_is_the_laplacians_variance() -> None:
    grey = RGB / 255 @ np.array([0.299, 0.587, 0.114])
    plain = cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1].var()
    assert sharpness(to_tensor(RGB)) == pytest.approx(plain, rel=1e-4)
    assert sharpness(torch.full((3, 8, 8), 0.5)) == pytest.approx(0, abs=1e-12)
    assert sharpness(torch.rand(3, 2, 8)) == 0


@pytest.mark.parametrize("scale", [1, 20, 255])
def test_sharpness_is_the_same_of_an_image_as_read(scale: int) -> None:
    image = (RGB // scale).astype(np.uint8)
    assert image_sharpness(image) == pytest.approx(sharpness(to_tensor(image)), rel=1e-4, abs=1e-12)
    assert image_sharpness(np.zeros((2, 8, 3), np.uint8)) == 0
