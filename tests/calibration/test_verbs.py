"""Repeat, challenge and aim on images, as an engineer runs them."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.main import main
from models import recipe as recipes
from models.images import read_rgb

Frame = NDArray[np.uint8]
Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes RGB frames into a folder, and gives it."""

    def write(**frames: Frame) -> str:
        folder = tmp_path / "images"
        folder.mkdir()
        for name, frame in frames.items():
            cv2.imwrite(str(folder / f"{name}.png"), frame[..., ::-1])
        return str(folder)

    return write


@pytest.fixture
def noisy(passing: Frame) -> dict[str, Frame]:
    """One part, ten times, by a camera that is noisy."""
    rng = np.random.default_rng(1)
    return {
        f"f{n:02}": np.clip(passing + rng.normal(0, 2, passing.shape), 0, 255).astype(np.uint8)
        for n in range(10)
    }


def test_repeat_says_how_a_score_scatters(
    tiny_recipe: Path, noisy: dict[str, Frame], save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["repeat", str(tiny_recipe), "--images", save(**noisy), "--json"])
    study = json.loads(capsys.readouterr().out)
    assert status == (0 if study["repeatable"] else 1)
    assert (study["triggers"], study["threshold"]) == (
        10,
        recipes.load(tiny_recipe).calibration.threshold,
    )
    assert study["score"]["deviation"] > 0
    assert set(study["maps"]) == {"whole local", "whole global"}
    low, high = study["flip_interval"]
    assert low <= study["flip"] <= high


def test_repeat_in_words(
    tiny_recipe: Path,
    passing: Frame,
    failing: Frame,
    save: Save,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A part that is there and is not: verdicts flip, and the status says so."""
    frames = {f"f{n:02}": failing if n % 4 == 0 else passing for n in range(10)}
    assert main(["repeat", str(tiny_recipe), "--images", save(**frames)]) == 1
    told = capsys.readouterr().out
    assert "the other verdict came 3 times" in told
    assert "NOT repeatable" in told
    assert "whole local map, largest" in told


def test_repeat_with_too_few_images_is_a_line(
    tiny_recipe: Path, passing: Frame, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repeat", str(tiny_recipe), "--images", save(a=passing)]) == 2
    assert "1 triggers of the part: show it at least 10 times" in capsys.readouterr().err


def test_challenge_names_what_was_missed(
    tiny_recipe: Path,
    passing: Frame,
    failing: Frame,
    save: Save,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = save(dent=failing, invisible=passing)
    assert main(["challenge", str(tiny_recipe), "--images", folder, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["shown"], told["missed"]) == (2, 1)
    verdicts = {one["name"]: one["verdict"] for one in told["results"]}
    assert verdicts == {"dent.png": "FAIL", "invisible.png": "PASS"}
    (missed,) = [one for one in told["results"] if one["verdict"] != "FAIL"]
    assert missed["score"] < missed["threshold"]


def test_challenge_that_is_met(
    tiny_recipe: Path, failing: Frame, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["challenge", str(tiny_recipe), "--images", save(dent=failing)]) == 0
    words = capsys.readouterr().out
    assert "all 1 known rejects are FAIL" in words
    assert "not kept anywhere: that takes --daemon" in words


def test_challenge_without_anybody_to_show_it_to_is_a_line(
    tiny_recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["challenge", str(tiny_recipe), "--parts", "2"]) == 2
    assert "add --daemon" in capsys.readouterr().err


def test_aim_tells_light_and_focus_from_those_of_the_calibration(
    tiny_recipe: Path,
    good_parts: Path,
    passing: Frame,
    save: Save,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blurred = np.asarray(cv2.GaussianBlur(passing, (0, 0), 3), np.uint8)
    dark = (passing * 0.5).astype(np.uint8)
    folder = save(a_same=passing, b_blurred=blurred, c_dark=dark)
    assert main(["aim", str(tiny_recipe), "--images", folder, "--save", str(tmp_path / "s")]) == 0
    same, soft, under = capsys.readouterr().out.splitlines()
    assert same.startswith("a_same.png  brightness ")
    assert same.count("as then)") == 2
    assert ", low)" in soft.split("sharpness")[1]
    assert ", low)" in under.split("contrast")[0]
    assert read_rgb(tmp_path / "s" / "aim-b_blurred.png").shape[1] == 960


def test_aim_without_a_recipe(
    passing: Frame, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["aim", "--images", save(a=passing, b=passing), "--frames", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "then" not in line


def test_a_frame_of_another_size_is_a_line(
    tiny_recipe: Path, passing: Frame, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["challenge", str(tiny_recipe), "--images", save(a=passing[:100])]) == 2
    assert "128 x 100 pixels, but the recipe inspects 128 x 128" in capsys.readouterr().err
