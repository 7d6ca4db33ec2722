"""``effad-train``: teachers come in, bundles come out, and what is wrong is one line."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models import bundle as bundles
from models.engine import Engine
from models.images import find_images
from models.pdn import PdnSize, pdn
from models.weights import read_weights
from training.main import main

NAMES = {
    PdnSize.SMALL: {"0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4"},
    PdnSize.MEDIUM: {
        "0": "conv1",
        "3": "conv2",
        "6": "conv3",
        "8": "conv4",
        "10": "conv5",
        "12": "conv6",
    },
}


def published(size: PdnSize, named: bool) -> dict[str, Tensor]:
    torch.manual_seed(0)
    weights = dict(pdn(size).state_dict())
    if not named:
        return weights
    renamed = {}
    for key, value in weights.items():
        layer, kind = key.split(".")
        renamed[f"{NAMES[size][layer]}.{kind}"] = value
    return renamed


@pytest.mark.parametrize("size", PdnSize)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_import_teacher(
    size: PdnSize, named: bool, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = published(size, named)
    file, teacher = tmp_path / f"published{suffix}", tmp_path / "teacher.safetensors"
    if suffix == ".pth":
        torch.save(weights, file)
    else:
        save_file(weights, file)
    assert main(["import-teacher", str(file), str(teacher)]) == 0
    assert capsys.readouterr().out == f"{teacher}: {size} teacher\n"
    found, provenance = read_weights(teacher)
    assert provenance == {"imported_from": file.name, "size": size}
    net = pdn(size)
    net.load_state_dict(found)
    for key, value in published(size, named=False).items():
        assert torch.equal(found[key], value.half().float())


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """Run the command, which must end in one line and status 2; give what the line says.

    The data check may have warned before.
    """
    assert main([str(arg) for arg in args]) == 2
    said = capsys.readouterr().err
    assert said.endswith("\n")
    *warnings, error = said.splitlines()
    assert all(line.startswith("warning: ") for line in warnings)
    assert error.startswith("effad-train: error: ")
    return error.removeprefix("effad-train: error: ")


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code of a checkpoint has run')",)


@pytest.mark.parametrize("content", ["object", "pickle", "list", "garbage", "empty", "missing"])
def test_import_refuses_what_is_no_state_dict(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, teacher = tmp_path / "published.pth", tmp_path / "teacher.safetensors"
    match content:
        case "object":  # as published teachers that were saved as modules
            torch.save(pdn(PdnSize.SMALL, 1), file)
        case "pickle":
            file.write_bytes(pickle.dumps(Harm(), protocol=2))
        case "list":
            torch.save([torch.zeros(1)], file)
        case "garbage":
            file.write_bytes(b"not a checkpoint")
        case "empty":
            file.touch()
    said = refused(capsys, "import-teacher", file, teacher)
    assert said.startswith(f"{file}: ")
    expected = {
        "object": "never unpickles objects; save the network's state_dict() alone",
        "pickle": "never unpickles objects",
        "list": "no state_dict",
        "missing": "no such file",
    }
    assert expected.get(content, "") in said
    assert not teacher.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_import_refuses_another_network(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"published{suffix}"
    weights = dict(pdn(PdnSize.SMALL, 100).state_dict())
    del weights["3.bias"]
    if suffix == ".pth":
        torch.save(weights, file)
    else:
        save_file(weights, file)
    said = refused(capsys, "import-teacher", file, tmp_path / "teacher")
    assert "no EfficientAD teacher: 7 weights that fit neither the small nor the medium" in said


def test_import_into_a_folder_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(published(PdnSize.SMALL, named=False), tmp_path / "published.pth")
    teacher = tmp_path / "none" / "teacher"
    said = refused(capsys, "import-teacher", tmp_path / "published.pth", teacher)
    assert said.startswith(f"{teacher}: cannot be written")


@pytest.fixture
def copies(good_parts: Path, tmp_path: Path) -> Path:
    """A folder of good parts that a test may change."""
    folder = tmp_path / "parts"
    shutil.copytree(good_parts, folder)
    return folder


def test_run_refuses_images_of_another_size(
    copies: Path, teacher_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 32, 3), np.uint8)
    cv2.imwrite(str(copies / "002.png"), image)
    said = refused(capsys, "run", copies, tmp_path / "bundle", "--teacher", teacher_file)
    assert said.startswith(f"{copies}/002.png: 32 x 64 pixels, but 000.png has 128 x 128")


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_run_refuses_an_unreadable_image(
    content: bytes,
    copies: Path,
    teacher_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (copies / "001.png").write_bytes(content)
    said = refused(capsys, "run", copies, tmp_path / "bundle", "--teacher", teacher_file)
    assert said.startswith(f"{copies}: 1 image ")
    assert "001.png" in said


def test_run_refuses_folders_without_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "run", tmp_path / "none", tmp_path / "bundle")
    assert said == f"{tmp_path}/none: no such folder; name a folder of images"
    (tmp_path / "empty").mkdir()
    said = refused(capsys, "run", tmp_path / "empty", tmp_path / "bundle")
    assert said.startswith(f"{tmp_path}/empty: no images here; allowed are .bmp .jpeg")


def test_run_refuses_a_teacher_that_is_none(
    good_parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = tmp_path / "none.safetensors"
    said = refused(capsys, "run", good_parts, tmp_path / "bundle", "--teacher", teacher)
    assert said.startswith(f"{teacher}: no readable safetensors file")
    assert list(tmp_path.iterdir()) == []


def test_run_refuses_a_bundle_that_exists(
    good_parts: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "run", good_parts, tiny_bundle)
    assert said == f"{tiny_bundle}: exists, and bundles do not change; name another"


@pytest.mark.parametrize(
    ("option", "values", "said"),
    [
        ("--steps", ["0"], "steps = 0"),
        ("--rate", ["nan"], "rate = nan"),
        ("--hold-out", ["1"], "hold-"),
        ("--device", ["tpu"], "device = tpu: must be cpu, cuda or cuda:NUMBER"),
        ("--region", ["0", "0", "9", "99"], "--region 0 0 9 99: width = 9: "),
        ("--region", ["-1", "0", "64", "64"], "--region -1 0 64 64: x = -1: "),
        ("--region", ["99", "0", "64", "64"], "leaves the frame of 128 x 128"),
        ("--ignore", ["none.png"], "none.png: No such file"),
        ("--start", ["none"], "none/manifest.json"),
        ("--natural", ["none"], "none: no such folder"),
        ("--coeff-ood", ["1"], "name their folder by --natural"),
    ],
)
def test_run_refuses_settings_that_no_run_can_have(
    option: str,
    values: list[str],
    said: str,
    good_parts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = tmp_path / "bundle"
    assert said in refused(capsys, "run", good_parts, bundle, option, *values)
    assert not bundle.exists()


def test_a_process_trains_what_the_same_settings_trained_here(
    good_parts: Path, teacher_file: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Interrupted between its scales and started again; ``whole`` comes out bit for bit."""
    bundle = tmp_path / "bundle"
    given = ["--hold-out", "0.5", "--steps", "1", "--scales", "whole", "tiles"]
    command = [sys.executable, "-m", "training.main", "run", str(good_parts), str(bundle)]
    command += ["--teacher", str(teacher_file), "--no-thin", *given]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("warning: 4 images smaller than a tile")
        assert child.stderr.readline().startswith("training whole: step 1 of 1, loss ")
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
    assert child.returncode == 130
    assert rest.endswith("\neffad-train: interrupted\n")
    assert "Traceback" not in rest
    assert not bundle.exists()

    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert f"effad-calibrate run RECIPE --bundle {bundle}" in again.stdout
    assert os.listdir(tmp_path) == ["bundle"]
    loaded, here = bundles.load(bundle), bundles.load(tiny_bundle)
    assert list(loaded.detectors) == ["whole", "tiles"]
    assert loaded.manifest.teacher == here.manifest.teacher
    whole = here.manifest.scales[0].model_copy(update={"reduced": None})
    assert loaded.manifest.scales[0] == whole
    assert loaded.manifest.trained_on == here.manifest.trained_on
    assert Engine(loaded).verify() < 1e-4


def test_real_images_are_trained_on(
    data: Path, teacher_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for path in find_images(data / "metal_nut" / "train" / "good")[:4]:
        shutil.copy(path, folder)
    given = ["--teacher", str(teacher_file), "--steps", "1", "--no-thin"]
    assert main(["run", str(folder), str(tmp_path / "bundle"), *given]) == 0
    found = bundles.load(tmp_path / "bundle")
    assert (found.manifest.input.height, found.manifest.input.width) == (700, 700)
    assert len(found.manifest.trained_on) == 3
    assert Engine(found).verify() < 1e-4
    assert "3 images to train on, 1 held out" in capsys.readouterr().out
