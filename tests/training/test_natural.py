"""Natural images become square tiles, some of them grey."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.errors import InputError
from training.natural import GRAYSCALE, NaturalTiles


def test_tiles_are_squares_of_the_images(tmp_path: Path) -> None:
    """Each image has one colour on its left and another on its right, so that none is squeezed."""
    image = np.zeros((40, 120, 3), np.uint8)
    image[:, :60], image[:, 60:] = (200, 100, 50), (20, 60, 240)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    natural = NaturalTiles(tmp_path)
    assert natural.names == ["a.png"]
    random = np.random.default_rng(0)
    grey, seen = 0, set()
    for _ in range(100):
        tile = natural.tile(random)
        assert tile.shape == (3, 256, 256)
        assert tile.dtype == torch.float32
        assert 0 <= tile.min() <= tile.max() <= 1
        grey += bool(torch.equal(tile[0], tile[1]))
        seen.add((round(float(tile[0, 128, 4]), 2), round(float(tile[0, 128, -4]), 2)))
    assert len(seen) > 3
    assert grey / 100 == pytest.approx(GRAYSCALE, abs=0.15)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images here"):
        NaturalTiles(tmp_path)
