"""The data check finds what was planted, in the images where it was planted, and nothing else."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.simulator.parts import Defect
from models.images import read_rgb
from tests.training.data import replicas
from training.data.check import check
from training.data.findings import Findings
from training.data.near import near_twins
from training.data.read import read_data
from training.main import main

SIZE = 256  # a tile


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A data set in which every image has a mask, and nothing is wrong."""
    root = replicas.mvtec(tmp_path / "nut", train=8, size=SIZE)
    truth = root / "ground_truth" / "missing" / "000_mask.png"
    replicas.write(truth, replicas.part(70, Defect.MISSING, SIZE).mask)
    return root


def found(root: Path) -> tuple[Findings, dict[str, list[str]]]:
    """What the check finds: all of it, and the images of each kind."""
    findings = check(read_data(root))
    by_kind = {f.kind: [str(p.relative_to(root)) for p in f.images] for f in findings.found}
    assert len(by_kind) == len(findings.found)
    return findings, by_kind


def image(root: Path, name: str) -> tuple[Path, NDArray[np.uint8]]:
    return root / name, read_rgb(root / name)


def test_a_clean_set_has_no_faults(clean: Path) -> None:
    findings, by_kind = found(clean)
    assert by_kind == {}
    assert (findings.errors, findings.warnings) == ((), ())
    assert findings.images == {
        "train, good": 8,
        "test, good": 2,
        "test, scratch": 2,
        "test, missing": 1,
    }
    assert findings.parts == 13
    assert findings.sizes == {"256 x 256": 13}
    assert findings.channels == {"colour, 8 bits": 13}


TRAINED = "train/good/002.png"
TESTED = "test/good/001.png"


def spoil(root: Path, name: str, kind: str) -> None:
    """Plant a fault in an image of a data set."""
    path, rgb = image(root, name)
    noise = np.random.default_rng(0).integers(0, 3, rgb.shape, np.uint8)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    spoilt: NDArray[np.unsignedinteger] = {
        "size": np.vstack([rgb, rgb[-9:]]),
        "small": rgb[:250, :250],
        "channels": grey,
        "bits": rgb.astype(np.uint16) * 257,
        "alpha": np.dstack([np.full(rgb.shape[:2], 99, np.uint8), rgb])[..., [1, 2, 3, 0]],
        "black": noise,
        "white": 255 - noise,
        "plain": noise + 120,
        "blurred": cv2.GaussianBlur(rgb, (0, 0), 2),
    }[kind]
    if kind == "alpha":
        path.write_bytes(cv2.imencode(".png", spoilt)[1].tobytes())
    else:
        replicas.write(path, spoilt)


@pytest.mark.parametrize("name", [TRAINED, TESTED])
@pytest.mark.parametrize(
    "kind", ["size", "small", "channels", "bits", "alpha", "black", "white", "plain", "blurred"]
)
def test_an_odd_image_is_named(clean: Path, name: str, kind: str) -> None:
    spoil(clean, name, kind)
    findings, by_kind = found(clean)
    also = {"size": [name]} if kind == "small" else {}
    assert by_kind == {kind: [name], **also}
    assert bool(findings.errors) == (kind in ("black", "white", "plain") and name == TRAINED)
    assert all(name in line and "\n" not in line for line in findings.errors + findings.warnings)


def test_unreadable_images_stop(clean: Path) -> None:
    path = clean / TRAINED
    path.write_bytes(path.read_bytes()[:-200])
    (clean / TESTED).write_bytes(b"")
    findings, by_kind = found(clean)
    assert by_kind == {"unreadable": [TRAINED, TESTED]}
    assert findings.errors == (
        f"2 images not readable, to be removed or saved again ({TRAINED}, {TESTED})",
    )


def test_copies_are_found_by_content(clean: Path) -> None:
    _, rgb = image(clean, TRAINED)
    replicas.write(clean / "train" / "good" / "again.bmp", rgb)  # another file, the same pixels
    replicas.write(clean / "test" / "good" / "leaked.tiff", rgb)
    findings, by_kind = found(clean)
    assert by_kind == {
        "duplicate": ["train/good/again.bmp"],
        "leak": ["test/good/leaked.tiff"],
    }
    assert findings.errors == ()


@pytest.mark.parametrize("how", ["jpeg", "brighter", "resized", "noisy", "shifted"])
def test_near_copies_between_train_and_test_are_found(clean: Path, how: str) -> None:
    _, rgb = image(clean, TRAINED)
    small = cv2.resize(rgb, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 4, rgb.shape)
    near = {
        "jpeg": rgb,
        "brighter": np.clip(rgb * 1.1 + 5, 0, 255).astype(np.uint8),
        "resized": cv2.resize(small, (SIZE, SIZE)),
        "noisy": np.clip(rgb + noise, 0, 255).astype(np.uint8),
        "shifted": np.vstack([rgb[1:], rgb[-1:]]),
    }[how]
    name = "test/good/near.jpg" if how == "jpeg" else "test/good/near.png"
    replicas.write(clean / name, near)
    _, by_kind = found(clean)
    also = {"blurred": [name]} if how == "resized" else {}
    assert by_kind == {"near duplicate": [name], **also}


def test_brothers_are_no_twins() -> None:
    """Parts that all look alike, by 1 %, are told apart from one that is the same, by 0.01 %."""
    rng = np.random.default_rng(0)

    def rows(count: int, base: NDArray[np.float64], share: float) -> NDArray[np.float32]:
        made = base + share * rng.normal(size=(count, 1024))
        made -= made.mean(axis=1, keepdims=True)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return np.asarray(made, np.float32)

    base = rng.normal(size=1024)
    train, test = rows(3000, base, 0.1), rows(2500, base, 0.1)
    assert near_twins(train, test) == []
    test[2100] = rows(1, train[7].astype(float) * 32, 0.01)[0]
    twins = near_twins(train, test)
    assert [t[:2] for t in twins] == [(2100, 7)]
    plain = 1 - float(train[7].astype(float) @ test[2100].astype(float))
    assert twins[0].distance == pytest.approx(plain, abs=1e-6)


def test_masks_are_judged(clean: Path) -> None:
    truth = clean / "ground_truth"
    replicas.write(truth / "scratch" / "000_mask.png", np.zeros((9, 7), np.uint8))
    replicas.write(truth / "scratch" / "001_mask.png", np.zeros((SIZE, SIZE), np.uint8))
    (truth / "missing" / "000_mask.png").unlink()
    findings, by_kind = found(clean)
    assert by_kind == {
        "mask": ["test/scratch/000.png"],
        "empty mask": ["test/scratch/001.png"],
        "no mask": ["test/missing/000.png"],
    }
    assert len(findings.errors) == 1
    assert "7 x 9 pixels, but its image 000.png has 256 x 256" in findings.errors[0]


def test_twelve_bits_in_sixteen_are_told(tmp_path: Path) -> None:
    for seed in range(3):
        dark = replicas.part(seed, None, SIZE).image[..., 1].astype(np.uint16) * 16
        replicas.write(tmp_path / f"{seed}.png", dark)
    _, by_kind = found(tmp_path)
    assert by_kind["range"] == ["0.png", "1.png", "2.png"]


def test_each_view_is_judged_by_its_own(clean: Path) -> None:
    """A view that is soft throughout is no fault."""
    rows = []
    for seed in range(8):
        name = f"train/good/{seed:03}.png"
        path, rgb = image(clean, name)
        if seed % 2:
            replicas.write(path, cv2.GaussianBlur(rgb, (0, 0), 2.5).astype(np.uint8))
        rows.append(f"{name},{seed // 2},{'soft' if seed % 2 else 'sharp'}")
    assert found(clean)[1]["blurred"] == [f"train/good/00{seed}.png" for seed in (1, 3, 5, 7)]
    (clean / "parts.csv").write_text("\n".join(["image,part,view", *rows]) + "\n")
    findings, by_kind = found(clean)
    assert by_kind == {}
    assert (findings.parts, findings.views) == (9, ("sharp", "soft"))


def test_one_class_alone_is_told(clean: Path) -> None:
    for path in (clean / "test" / "good").iterdir():
        path.unlink()
    findings, _ = found(clean)
    assert findings.warnings == ("the test has defective parts alone: AUROC is undefined",)


def test_contamination_is_told(tmp_path: Path) -> None:
    source = replicas.real_iad(tmp_path / "src")
    args = ["data", "real-iad", str(source), str(tmp_path / "out"), "--setting", "fuiad"]
    assert main(args) == 0
    _, by_kind = found(tmp_path / "out" / "plastic_nut")
    assert by_kind["contaminated"] == [f"train/good/HS_S0002_C{v}.jpg" for v in (1, 2, 3)]


def test_the_command_reports(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(clean)]) == 0
    assert "nothing found" in capsys.readouterr().out
    spoil(clean, TRAINED, "black")
    assert main(["data", "check", str(clean)]) == 1
    out = capsys.readouterr().out
    assert "256 x 256" in out
    assert (
        f"error: 1 image all black, trained on or calibrated on: to be removed ({TRAINED})" in out
    )
    assert main(["data", "check", str(clean), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0]["images"] == [TRAINED]
    assert told["images"]["train, good"] == 8
    assert main(["data", "check", str(clean / "none")]) == 2


def test_the_command_restructures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replicas.real_iad(tmp_path / "src")
    replicas.real_iad(tmp_path / "src", "usb")
    target = tmp_path / "out"
    args = ["data", "real-iad", str(tmp_path / "src"), str(target)]
    assert main([*args, "--category", "usb", "--link"]) == 0
    assert [p.name for p in target.iterdir()] == ["usb"]
    out = capsys.readouterr().out
    assert "written; 9 abnormal, 36 normal; 20 to train on, 25 to test with; 1 moved" in out
    assert main([*args, "--link"]) == 0
    out = capsys.readouterr().out
    assert "plastic_nut: written" in out
    assert "usb: is there already" in out
    assert main([*args, "--category", "toy"]) == 2
    assert "--category toy: must be one of plastic_nut, usb" in capsys.readouterr().err
    assert main([*args, "--resolution", "1024"]) == 2
    assert "no categories of Real-IAD in realiad_1024" in capsys.readouterr().err


def test_real_sets_are_clean_but_for_their_sizes(data: Path) -> None:
    """No true part is taken for a twin or for blurred."""
    assert check(read_data(data / "metal_nut")).found == ()
    kinds = {f.kind for f in check(read_data(data / "magnetic_tile")).found}
    assert kinds == {"size", "small"}
