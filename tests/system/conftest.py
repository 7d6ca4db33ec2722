"""Scenes and recipes for lines under test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.main import main as calibrate
from daemon.simulator.parts import draw, sequence
from tests.editing import edit_recipe
from training.run import Run, run
from training.settings import TrainSettings


@pytest.fixture(scope="session")
def shown() -> list[NDArray[np.uint8]]:
    """Parts that a camera shows, 128 x 128 RGB, some of them defective."""
    return [part.image for part in sequence(11, 12, defect_rate=0.4, size=128)]


@pytest.fixture
def patient(tiny_recipe: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copies of the tiny recipe with another deadline."""

    def copy(deadline_ms: int = 60_000) -> Path:
        folder = tmp_path / "recipes"
        shutil.copytree(tiny_recipe.parent, folder)
        path = folder / tiny_recipe.name
        edit_recipe(path, deadline_ms=deadline_ms)
        return path

    return copy


@pytest.fixture(scope="session")
def viky_recipe(tmp_path_factory: pytest.TempPathFactory, teacher_file: Path) -> Path:
    """A recipe for the 400 x 400 frames of viky.cti."""
    folder = tmp_path_factory.mktemp("viky")
    good = folder / "good"
    good.mkdir()
    for number in range(5):
        rgb = draw(number, size=400).image
        cv2.imwrite(str(good / f"{number}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    train = TrainSettings(steps=1)
    run(Run(good, folder / "bundle", teacher_file, hold_out=0.4, train=train))
    recipe = folder / "recipe"
    arguments = [
        "--bundle",
        str(folder / "bundle"),
        "--yes",
        "--images",
        str(good),
        "--deadline-ms",
        "60000",
        "--backend",
        "torch",
    ]
    assert calibrate(["run", str(recipe), *arguments]) == 0
    return recipe
