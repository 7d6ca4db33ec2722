"""Images on disk, and what is said of them as a whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.errors import InputError
from models.images import SUFFIXES, brightness, find_images, luma, read_rgb, sharpness, to_tensor

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
