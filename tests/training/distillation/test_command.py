"""``effad-train distill``: as a user runs it, alone and under torchrun."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from torchvision.models import resnet50

from models.pdn import PdnSize, pdn
from models.weights import read_weights, write_weights
from training.main import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The local backbone's file, with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("backbone") / "resnet.safetensors"
    behind = ("layer4.", "fc.")
    state = {k: v for k, v in resnet50().state_dict().items() if not k.startswith(behind)}
    write_weights(path, state, {})
    return path


@pytest.fixture(scope="module")
def few(natural: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the images, of which one is held out."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("00.png", "01.png", "02.png"):
        shutil.copy(natural / name, folder)
    return folder


@pytest.fixture(scope="module")
def alone(few: Path, resnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher distilled by one process in three steps, with what it left beside it."""
    teacher = tmp_path_factory.mktemp("alone") / "teacher.safetensors"
    assert main([*command(few, teacher, resnet), "--snapshots", "2"]) == 0
    return teacher


def command(images: Path, teacher: Path, resnet: Path) -> list[str]:
    given = ["distill", str(images), str(teacher), "--backbone", "resnet50-v1"]
    given += ["--backbone-weights", str(resnet), "--channels", "8", "--precision", "fp32"]
    given += ["--cells", "4", "--views", "1", "--rate", "1e-3", "--device", "cpu"]
    return [*given, "--steps", "3", "--batch", "2"]


def test_a_teacher_says_how_it_was_made(alone: Path, few: Path) -> None:
    weights, said = read_weights(alone)
    assert {k: v.shape for k, v in weights.items()} == {
        k: v.shape for k, v in pdn(PdnSize.SMALL, 8).state_dict().items()
    }
    with safe_open(alone, framework="pt") as file:
        assert file.get_tensor("0.bias").dtype == torch.float16
    assert said["data"].pop("digest")
    assert said["data"] == {"images": 2, "held_out": 1}
    assert said["backbone"].pop("fingerprint")
    assert said["backbone"] == {"name": "resnet50-v1", "weights": "resnet.safetensors"}
    assert (said["steps"], said["views_seen"], said["size"], said["channels"]) == (3, 6, "small", 8)
    assert [step for step, _ in said["loss_curve"]] == [1, 2, 3]
    assert said["loss"] == pytest.approx(sum(loss for _, loss in said["loss_curve"]) / 3, abs=1e-4)
    assert 0 < said["held_out_loss"] < 10
    assert said["started_from"] is None
    assert said["effad"]
    assert str(few) not in json.dumps(said)


def test_snapshots_are_teachers_beside_it(alone: Path) -> None:
    assert sorted(p.name for p in alone.parent.glob("*.safetensors")) == [
        "teacher-2.safetensors",
        "teacher.safetensors",
    ]
    _, said = read_weights(alone.with_name("teacher-2.safetensors"))
    assert said["steps"] == 2
    assert [step for step, _ in said["loss_curve"]] == [1, 2]


def test_a_run_goes_on_from_other_folders(
    alone: Path, few: Path, resnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint belongs to what images and backbone hold, not to where they lie.

    From there on with views that are always new.
    """
    images, weights = tmp_path / "elsewhere", tmp_path / "renamed.safetensors"
    shutil.copytree(few, images)
    shutil.copy(resnet, weights)
    teacher = tmp_path / "new.safetensors"
    shutil.copy(alone.with_suffix(".checkpoint"), teacher.with_suffix(".checkpoint"))
    shutil.copytree(alone.with_suffix(".features"), teacher.with_suffix(".features"))
    assert (
        main([*command(images, teacher, weights), "--steps", "4", "--batch", "1", "--views", "0"])
        == 0
    )
    _, said = read_weights(teacher)
    assert (said["steps"], said["views_seen"]) == (4, 7)
    capsys.readouterr()

    (images / "02.png").unlink()
    assert main(command(images, teacher, weights)) == 2
    assert "new.checkpoint: checkpoint of a run with other settings" in capsys.readouterr().err


def test_a_teacher_to_start_from_is_named(
    alone: Path, few: Path, resnet: Path, tmp_path: Path
) -> None:
    teacher = tmp_path / "next.safetensors"
    shutil.copytree(alone.with_suffix(".features"), teacher.with_suffix(".features"))
    given = [*command(few, teacher, resnet), "--start", str(alone), "--rate", "1e-9"]
    assert main([*given, "--steps", "1"]) == 0
    weights, said = read_weights(teacher)
    assert said["started_from"]["file"] == "teacher.safetensors"
    assert said["started_from"]["steps"] == 3
    began, _ = read_weights(alone)
    torch.testing.assert_close(weights, began, rtol=0, atol=1e-5)


def moved(checkpoint: Path, start: Path) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """All weights of a checkpoint in a row, where they began, and the rest."""
    saved = torch.load(checkpoint, weights_only=True)
    began, _ = read_weights(start)
    row = torch.cat([saved["net"][key].flatten() for key in sorted(began)])
    return row, torch.cat([began[key].flatten() for key in sorted(began)]), saved


def test_two_processes_make_the_teacher_that_one_makes(
    alone: Path, few: Path, resnet: Path, tmp_path: Path
) -> None:
    """On half of each batch each, going on from where one process stopped after two steps."""
    start = tmp_path / "start.safetensors"
    write_weights(start, dict(pdn(PdnSize.SMALL, 8).state_dict()), {})
    for name in ("one", "two"):
        features = (tmp_path / name).with_suffix(".features")
        shutil.copytree(alone.with_suffix(".features"), features)

    def given(name: str, steps: int) -> list[str]:
        teacher = tmp_path / f"{name}.safetensors"
        options = ["--start", str(start), "--steps", str(steps), "--batch", "4"]
        return [*command(few, teacher, resnet), *options]

    assert main(given("one", 2)) == 0
    shutil.copy(tmp_path / "one.checkpoint", tmp_path / "two.checkpoint")
    assert main(given("one", 5)) == 0
    torchrun(given("two", 5))

    one, began, saved = moved(tmp_path / "one.checkpoint", start)
    two, _, also = moved(tmp_path / "two.checkpoint", start)
    assert also["losses"] == pytest.approx(saved["losses"], rel=1e-5)
    assert also["views"] == 20
    assert (one - began).norm() > 0.1
    # Sums in another order; Adam makes the most of it where a gradient is about zero.
    assert (two - one).norm() < 1e-2 * (one - began).norm()
    _, said = read_weights(tmp_path / "two.safetensors")
    _, expected = read_weights(tmp_path / "one.safetensors")
    assert said["held_out_loss"] == pytest.approx(expected["held_out_loss"], abs=2e-4)


def torchrun(given: list[str]) -> None:
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    done = subprocess.run(
        [*run, "-m", "--", "training.main", *given],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"held-out loss [\d.]+, 5 steps", done.stdout)) == 1
    assert done.stderr.count("distilling: step 5 of 5") == 1, "the first process alone reports"
    assert "Warning" not in done.stderr


def refused(capsys: pytest.CaptureFixture[str], *given: object) -> str:
    """Run the command, which must end in one line and status 2; give what the line says."""
    assert main(["distill", *map(str, given)]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"effad-train: error: [^\n]+\n", said)
    return said.removeprefix("effad-train: error: ")[:-1]


def test_a_start_of_another_shape_is_refused(
    few: Path, alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [few, tmp_path / "teacher.safetensors", "--start", alone]
    said = refused(capsys, *given, "--size", "medium")
    assert said == f"{alone}: a small teacher, but --size is medium"
    said = refused(capsys, *given)
    assert said == f"{alone}: a teacher of 8 channels, but --channels is 384"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--backbone-weights", "none.safetensors", "none.safetensors: no readable safetensors"),
        ("--steps", "0", "steps = 0: must be 1 or more"),
        ("--device", "cuda:99", "device = cuda:99: "),
        ("--start", "none", "none: no readable safetensors file"),
    ],
)
def test_what_is_wrong_is_one_line(
    option: str, value: str, said: str, few: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, few, "teacher.safetensors", option, value).startswith(said)


def test_a_folder_without_images_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no images here" in refused(capsys, tmp_path, tmp_path / "teacher")


def test_another_backbone_is_refused(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["distill", str(few), "teacher.safetensors", "--backbone", "resnet18"])
    assert "choose from wide_resnet101_2, " in capsys.readouterr().err.replace("'", "")
