"""A library with a recipe that was really calibrated, on a bundle that was not trained."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from calibration.main import main as calibrate
from daemon.recipes.command import main
from daemon.simulator.parts import draw
from tests.conftest import SIZE
from tests.models.thin import write_bundle


@pytest.fixture(scope="session")
def made_library(tmp_path_factory: pytest.TempPathFactory, good_parts: Path) -> Path:
    """A folder with ``bundle`` and ``library/nut``; not to be changed."""
    line = tmp_path_factory.mktemp("recipes")
    write_bundle(line / "bundle", draw(9, size=SIZE).image, ("whole",))
    given = ["--bundle", line / "bundle", "--images", good_parts, "--threads", 1, "--yes"]
    given += ["--backend", "torch"]
    assert calibrate([str(word) for word in ["run", line / "library" / "nut", *given]]) == 0
    return line


@pytest.fixture
def library(made_library: Path, tmp_path: Path) -> Path:
    """A copy of that library, its bundle beside it, that a test may change."""
    shutil.copytree(made_library, tmp_path / "line")
    return tmp_path / "line" / "library"


@pytest.fixture
def nut(library: Path) -> Path:
    return library / "nut"


class Said(NamedTuple):
    """What a command gave."""

    status: int
    out: str
    err: str


Recipes = Callable[..., Said]


@pytest.fixture
def effad_recipe(capsys: pytest.CaptureFixture[str]) -> Recipes:
    """Run ``effad-recipe``."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Said(status, *capsys.readouterr())

    return run
