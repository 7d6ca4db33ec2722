"""Each layout is found by looking, and read as its makers mean it."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.simulator.parts import Defect
from models.errors import InputError
from models.images import read_rgb
from tests.training.data import replicas
from training.data.masks import read_mask
from training.data.read import LAYOUTS, read_data
from training.data.samples import Sample

SIZE = replicas.SIZE


def kinds(samples: tuple[Sample, ...]) -> dict[str, int]:
    return dict(Counter(s.defect or "good" for s in samples))


def test_mvtec(tmp_path: Path) -> None:
    data = read_data(replicas.mvtec(tmp_path / "nut"))
    assert (data.name, data.layout, data.validation) == ("nut", "mvtec", ())
    assert kinds(data.train) == {"good": 4}
    assert kinds(data.test) == {"good": 2, "scratch": 2, "missing": 1}
    scratched = [s for s in data.test if s.defect == "scratch"]
    for seed, sample in enumerate(scratched):
        drawn = replicas.part(60 + seed, Defect.SCRATCH)
        assert np.array_equal(read_rgb(sample.path), drawn.image)
        mask = read_mask(sample, SIZE, SIZE)
        assert mask is not None
        assert np.array_equal(mask, drawn.mask > 0)
    good, bare = (next(s for s in data.test if s.defect == d) for d in (None, "missing"))
    assert read_mask(bare, SIZE, SIZE) is None
    nothing = read_mask(good, 5, 7)
    assert nothing is not None
    assert nothing.shape == (5, 7)
    assert not nothing.any()


def test_loco_joins_the_masks_of_an_image(tmp_path: Path) -> None:
    data = read_data(replicas.loco(tmp_path / "box"))
    assert data.layout == "mvtec-loco"
    assert (kinds(data.train), kinds(data.validation)) == ({"good": 3}, {"good": 3})
    assert kinds(data.test) == {"good": 3, "logical_anomalies": 1, "structural_anomalies": 1}
    spoilt = next(s for s in data.test if s.defect == "structural_anomalies")
    mask = read_mask(spoilt, SIZE, SIZE)
    assert mask is not None
    assert np.array_equal(mask, replicas.part(60, Defect.SCRATCH).mask > 0)


def test_a_flat_folder_is_of_good_parts(tmp_path: Path) -> None:
    folder = replicas.mvtec(tmp_path) / "train" / "good"
    data = read_data(folder)
    assert data.layout == "flat"
    assert [s.path for s in data.train] == sorted(folder.iterdir())
    assert all(s.good for s in data.train)
    assert data.test == ()


def test_visa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = replicas.visa(tmp_path)
    data = read_data(folder)
    assert (data.name, data.layout) == ("candle", "visa")
    assert kinds(data.train) == {"good": 3}
    assert kinds(data.test) == {"good": 2, "long scratch,dirt": 1}
    assert all("candle" in s.path.parts for s in (*data.train, *data.test))
    mask = read_mask(data.test[-1], SIZE, SIZE)
    assert mask is not None
    assert np.array_equal(mask, replicas.part(60, Defect.SCRATCH).mask > 0)
    (folder / "image_anno.csv").unlink()
    assert kinds(read_data(folder).test) == {"good": 2, "anomaly": 1}
    monkeypatch.chdir(folder)
    assert read_data(Path()).name == "candle"


def test_a_mask_of_another_size_is_refused_with_both(tmp_path: Path) -> None:
    path = replicas.write(tmp_path / "mask.png", np.zeros((5, 7), np.uint8))
    sample = Sample(tmp_path / "x.png", "scratch", (path,))
    with pytest.raises(InputError, match=r"mask\.png: 7 x 5 pixels, .* x\.png has 9 x 6"):
        read_mask(sample, 6, 9)


@pytest.mark.parametrize("kind", ["1 of 65535", "blue 1", "opaque alpha"])
def test_faint_masks_mark_their_pixels_alone(tmp_path: Path, kind: str) -> None:
    truth = np.zeros((6, 9), bool)
    truth[2:4, 3:5] = True
    images: dict[str, NDArray[np.unsignedinteger]] = {
        "1 of 65535": truth.astype(np.uint16),
        "blue 1": np.stack([truth * 0, truth * 0, truth], axis=2).astype(np.uint8),
        "opaque alpha": np.dstack([truth * 9, truth * 9, truth * 9, truth * 0 + 255]).astype(
            np.uint8
        ),
    }
    path = tmp_path / "mask.png"
    path.write_bytes(cv2.imencode(".png", images[kind])[1].tobytes())
    found = read_mask(Sample(tmp_path / "x.png", "dirt", (path,)), 6, 9)
    assert found is not None
    assert np.array_equal(found, truth)


def test_a_mask_without_its_image_is_refused(tmp_path: Path) -> None:
    (replicas.mvtec(tmp_path) / "test" / "scratch" / "001.png").unlink()
    with pytest.raises(InputError, match=r"001_mask\.png: a mask without its image"):
        read_data(tmp_path)


def test_what_is_none_is_said_with_what_was_seen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_data(tmp_path / "none")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"allowed are \.bmp .* MVTec .* it holds notes\.txt$"):
        read_data(tmp_path)
    with pytest.raises(InputError, match=r"layout 'coco': must be one of mvtec, visa"):
        read_data(tmp_path, "coco")
    for layout in LAYOUTS:
        with pytest.raises(InputError):
            read_data(tmp_path, layout)


def test_a_folder_of_categories_names_one(tmp_path: Path) -> None:
    replicas.visa(tmp_path / "visa")
    with pytest.raises(InputError, match=r"VisA holds 2 categories; .* such as .*visa/candle"):
        read_data(tmp_path / "visa")
    replicas.real_iad(tmp_path / "iad")
    with pytest.raises(InputError, match=r"Real-IAD holds 1 categories; .*realiad_256/plastic_nut"):
        read_data(tmp_path / "iad")
    replicas.mvtec(tmp_path / "mvtec" / "nut")
    with pytest.raises(InputError, match=r"1 within it; name one, such as .*mvtec/nut"):
        read_data(tmp_path / "mvtec")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("train,normal", "trian,normal", r"line 2: split = 'trian': must be train or test"),
        ("train,normal", "train,fine", r"line 2: label = 'fine'"),
        ("0000.JPG", "9999.JPG", r"line 2: .*9999\.JPG: no such file"),
        ("object", "category", r"no column 'object'; needed are object, split"),
        ("candle,", "lamp,", r"no row of object 'candle'"),
        (",normal,", ",", r"must have 5 fields"),
        ("candle", "k\udce4se", r"no CSV in UTF-8"),
    ],
)
def test_visas_faults_are_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = replicas.visa(tmp_path)
    table = tmp_path / "split_csv" / "1cls.csv"
    table.write_text(table.read_text().replace(old, new), errors="surrogateescape")
    with pytest.raises(InputError, match=said):
        read_data(folder)


PARTS = "image,part,view\ntrain/good/000.png,a,left\ntrain/good/001.png,a,right\n"


def test_a_table_tells_parts_and_views(tmp_path: Path) -> None:
    replicas.mvtec(tmp_path)
    (tmp_path / "parts.csv").write_text(PARTS)
    for data in (read_data(tmp_path), read_data(tmp_path / "train" / "good")):
        seen = [(s.part, s.view) for s in data.train]
        assert seen == [("a", "left"), ("a", "right"), ("", ""), ("", "")]
        assert len({s.part_key for s in data.train}) == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("test/good/000.png,a,top", r"part a, .* in train and in test; .* one side"),
        ("train/good/000.png,b,top", r"line 4: train/good/000\.png has a row already"),
        ("train/good/999.png,b,top", r"line 4: train/good/999\.png: no such file"),
        ("train/good/002.png,b", r"line 4: must have 3 fields"),
    ],
)
def test_a_table_with_faults_is_refused(tmp_path: Path, row: str, said: str) -> None:
    replicas.mvtec(tmp_path)
    (tmp_path / "parts.csv").write_text(PARTS + row + "\n")
    with pytest.raises(InputError, match=said):
        read_data(tmp_path)


def test_real_sets(data: Path) -> None:
    nuts = read_data(data / "metal_nut")
    assert len(nuts.train) == 220
    assert kinds(nuts.test) == {"good": 22, "bent": 25, "color": 22, "flip": 23, "scratch": 23}
    assert all(len(s.masks) == 1 for s in nuts.test if not s.good)
    tiles = read_data(data / "magnetic_tile")
    assert (len(tiles.train), len(tiles.test)) == (300, 228)
