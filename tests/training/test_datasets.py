"""Good parts are split by seed, and shuffled so that a resumed run goes on."""

import hashlib
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from training.datasets import GoodParts, digest, endless


@given(st.integers(1, 20), st.integers(0, 99), st.integers(0, 70))
def test_endless_goes_on_from_anywhere(count: int, seed: int, start: int) -> None:
    whole = list(islice(endless(count, seed), start + 50))
    assert list(islice(endless(count, seed, start), 50)) == whole[start:]
    for epoch in range(len(whole) // count):
        assert sorted(whole[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_differ() -> None:
    order = list(islice(endless(20, 0), 60))
    assert order[:20] != order[20:40] != order[40:]


def images(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    for place, (height, width) in enumerate(sizes):
        grey = np.full((height, width, 3), place, np.uint8)
        cv2.imwrite(str(folder / f"{place:02}.png"), grey)
    return folder


@pytest.mark.parametrize(("hold_out", "held"), [(0.0, 1), (0.15, 2), (0.5, 5), (0.8, 8)])
def test_split(tmp_path: Path, hold_out: float, held: int) -> None:
    folder = images(tmp_path, [(40, 50)] * 10)
    parts = GoodParts.split(folder, hold_out, seed=3)
    assert len(parts.held_out) == held
    assert sorted([*parts.train, *parts.held_out]) == sorted(folder.iterdir())
    assert (parts.height, parts.width) == (40, 50)
    assert GoodParts.split(folder, hold_out, seed=3) == parts
    assert GoodParts.split(folder, 0.5, seed=3) != GoodParts.split(folder, 0.5, seed=4)


@pytest.mark.parametrize("hold_out", [-0.1, 1.0, 1.5])
def test_a_share_that_is_none_is_refused(tmp_path: Path, hold_out: float) -> None:
    with pytest.raises(InputError, match="must be 0 or more and below 1"):
        GoodParts.split(images(tmp_path, [(40, 50)] * 4), hold_out, seed=0)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 images are too few .* at least 4"):
        GoodParts.split(images(tmp_path, [(40, 50)] * 2), 0.15, seed=0)


def test_other_sizes_are_refused_by_name(tmp_path: Path) -> None:
    folder = images(tmp_path, [(40, 50), (40, 50), (50, 40), (40, 50)])
    said = r"02.png: 40 x 50 pixels, but 00.png has 50 x 40; all images of a camera"
    with pytest.raises(InputError, match=said):
        GoodParts.split(folder, 0.15, seed=0)


def test_an_images_name_is_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")
    assert digest(path) == hashlib.sha256(b"abc").hexdigest()[:16]
