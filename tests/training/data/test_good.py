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
from tests.training.data import replicas
from training.data.good import GoodParts, digest, endless
from training.data.read import read_data
from training.data.samples import DataSet, Sample


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


def test_sizes_may_differ_where_they_may(tmp_path: Path) -> None:
    folder = images(tmp_path, [(40, 50), (50, 40), (50, 40), (40, 60)])
    parts = GoodParts.split(folder, 0.15, seed=0, one_size=False)
    assert (parts.height, parts.width) == (50, 40)
    assert len({*parts.train, *parts.held_out}) == 4


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images(tmp_path_factory.mktemp("one"), [(8, 8)]) / "00.png"


@given(
    st.lists(st.integers(1, 5), min_size=3, max_size=12),
    st.floats(0, 0.6),
    st.integers(0, 99),
)
def test_all_views_of_a_part_are_on_one_side(
    picture: Path, views: list[int], hold_out: float, seed: int
) -> None:
    """And each image is there exactly once."""
    samples = []
    for part, count in enumerate(views):
        for view in range(count):
            own = picture.with_name(f"S{part}_C{view}.png")
            if not own.exists():
                own.symlink_to(picture)
            samples.append(Sample(own, part=f"S{part}", view=f"C{view}"))
    data = DataSet("any", picture.parent, "mvtec", train=tuple(samples))
    wanted = max(1, round(hold_out * len(samples)))
    try:
        parts = GoodParts.split(data, hold_out, seed)
    except InputError:  # too few
        assert len(samples) - wanted - max(views) < 2
        return
    assert sorted([*parts.train, *parts.held_out]) == sorted(s.path for s in samples)
    assert wanted <= len(parts.held_out) < wanted + max(views)
    of = {s.path: s.part for s in samples}
    assert not {of[p] for p in parts.train} & {of[p] for p in parts.held_out}


def test_a_data_set_is_split_without_its_test(tmp_path: Path) -> None:
    root = replicas.mvtec(tmp_path)
    parts = GoodParts.split(root, 0.25, seed=1)
    assert parts == GoodParts.split(read_data(root), 0.25, seed=1)
    assert parts == GoodParts.split(root / "train" / "good", 0.25, seed=1)
    assert len(parts.held_out) == 1
    assert sorted([*parts.train, *parts.held_out]) == sorted((root / "train/good").iterdir())


def test_a_data_sets_own_validation_is_held_out(tmp_path: Path) -> None:
    root = replicas.loco(tmp_path)
    parts = GoodParts.split(root, 0.15, seed=0)
    assert sorted(parts.held_out) == sorted((root / "validation/good").iterdir())
    assert sorted(parts.train) == sorted((root / "train/good").iterdir())
    replicas.write(root / "validation" / "good" / "000.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match=r"000\.png: 9 x 9 pixels"):
        GoodParts.split(root, 0.15, seed=0)


def test_a_test_alone_is_no_training_set(tmp_path: Path) -> None:
    (replicas.mvtec(tmp_path) / "train").rename(tmp_path / "gone")
    with pytest.raises(InputError, match="no images to train on"):
        GoodParts.split(tmp_path, 0.15, seed=0)


def test_an_images_name_is_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")
    assert digest(path) == hashlib.sha256(b"abc").hexdigest()[:16]
