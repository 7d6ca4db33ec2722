"""``effad-recipe activate --daemon`` at a line that runs."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.recipes.command import main
from daemon.simulator.scene import CameraScene, PixelFormat, Scene
from models import recipe_store as store
from tests.editing import edit_recipe
from tests.system.line import Line, station


def test_a_running_daemon_is_told(
    patient: Callable[..., Path],
    shown: list[NDArray[np.uint8]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = patient()
    other, broken = recipe.with_name("other"), recipe.with_name("broken")
    for copy, changes in ((other, {"id": 7}), (broken, {"bundle": "../gone"})):
        shutil.copytree(recipe, copy)
        edit_recipe(copy, name=copy.name, **changes)
    camera = CameraScene("A1", shown, PixelFormat.MONO8, rate_hz=20)
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, station(recipe), scene) as line,
    ):
        line.running()
        daemon = ["--daemon", line.endpoint("control")]
        for named in (str(other), "7", "other"):
            assert main(["activate", named, *daemon]) == 0
            said = capsys.readouterr().out
            assert re.search(r"recipe other version 1 judges from part \d+ on", said)
        assert main(["activate", str(broken), *daemon]) == 2
        assert "bundle" in capsys.readouterr().err
        line.until(lambda: any(v.recipe == "other" for v in line.verdicts), "the other")
    assert store.active(other) == 1, "on disk nothing changed"
