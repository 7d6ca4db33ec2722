"""Scenes and recipes for lines under test."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.simulator.parts import sequence
from models.recipe import RECIPE


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
        recipe = json.loads((path / RECIPE).read_text())
        (path / RECIPE).write_text(json.dumps({**recipe, "deadline_ms": deadline_ms}))
        return path

    return copy
