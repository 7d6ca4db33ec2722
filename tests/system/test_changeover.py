"""A changeover as the process engineer does it: calibrate at the running line, then activate."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.main import main as calibrate
from daemon.recipes.command import main as recipes
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models import recipe_store as store
from models.recipe import load
from tests.system.line import EXPECTED, Line, assert_accounted, station

PARTS = 6


def test_the_line_is_fit_again_without_a_stop(
    patient: Callable[..., Path],
    passing: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = [np.roll(passing, shift, 1) for shift in range(PARTS)]
    camera = CameraScene("A1", images, PixelFormat.RGB8, trigger=TriggerMode.SOFTWARE)
    recipe, report = patient(), tmp_path / "calibrated.json"
    old = store.active(recipe)
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, station(recipe, 'trigger = "software"'), scene) as line,
    ):
        line.running()
        endpoint = line.endpoint("control")
        given = ["run", recipe, "--daemon", endpoint, "--trigger", "--which", "all"]
        given += ["--frames", PARTS, "--yes", "--json", report]
        given += ["--backend", "torch"]
        assert calibrate([str(word) for word in given]) == 0
        new = store.active(recipe)
        assert old is not None
        assert new == old + 1
        assert recipes(["activate", str(recipe), "--daemon", endpoint]) == 0
        line.ask(command="SoftwareTrigger")
        line.until(lambda: len(line.verdicts) == PARTS + 1, "the part after the activation")
        assert line.stop() == 0
        log = scene.log("A1")
        for name, value in scene.environ().items():
            monkeypatch.setenv(name, value)
        given = ["run", recipe, "--camera", tmp_path / "effad.toml", "--frames", PARTS, "--yes"]
        given += ["--backend", "torch"]
        assert calibrate([str(word) for word in given]) == 0
    assert_accounted(log, line.verdicts, EXPECTED)
    assert [v.recipe_version for v in line.verdicts] == [old] * PARTS + [new]
    calibration = load(recipe, new).calibration
    assert calibration.parts == PARTS
    assert json.loads(report.read_text())["answer"]
    # The maps that the daemon made of those frames are the maps that the threshold rests on.
    assert line.verdicts[-1].threshold == calibration.threshold
    assert line.verdicts[-1].score in calibration.scores
    # The camera itself, once the line has stopped, shows the same parts.
    assert store.active(recipe) == new + 1
    assert load(recipe).calibration == calibration
