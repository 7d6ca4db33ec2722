"""A light that goes down in front of the daemon's camera is told as such, on the wire."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.inspection.drift import FOLDER
from daemon.messages import AlarmCode, Kind
from daemon.simulator.parts import draw
from daemon.simulator.scene import CameraScene, PixelFormat, Scene
from models import recipe as recipes
from models.drift import DriftReference
from models.engine import Engine
from models.images import read_rgb
from models.levels import local_level
from models.light import light
from tests.conftest import HOLD_OUT
from tests.editing import edit_calibration, edit_recipe
from tests.system.line import Line, station
from training.data.good import GoodParts

Image = NDArray[np.uint8]
GOOD, DIMMED = 1, 17  # a reference of 320 tells after 12


def reference(recipe: Path, images: Sequence[Image]) -> DriftReference:
    """What the daemon would see of images, one by one."""
    loaded = recipes.load(recipe)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision, threads=1)
    seen = []
    for image in images:
        maps = engine.look(image, PixelFormat.RGB8)
        seen.append((loaded.fuse(maps).score, local_level(maps), *light(image, PixelFormat.RGB8)))
    score, local, brightness, sharpness = zip(*seen, strict=True)
    return DriftReference(score=score, local=local, brightness=brightness, sharpness=sharpness)


def test_the_calibration_knows_frames_as_the_daemon_sees_them(
    tiny_recipe: Path, good_parts: Path
) -> None:
    shown = [read_rgb(path) for path in GoodParts.split(good_parts, HOLD_OUT, seed=0).held_out]
    ours, known = reference(tiny_recipe, shown), recipes.load(tiny_recipe).calibration.drift
    for channel in DriftReference.model_fields:
        assert sorted(getattr(ours, channel)) == pytest.approx(sorted(getattr(known, channel)))


def test_a_dimmed_light_is_told_as_the_light(own_recipe: Path, tmp_path: Path) -> None:
    parts = [draw(seed, size=128).image for seed in range(100, 140)]
    few = reference(own_recipe, parts[:5])
    known = few.model_copy(
        update={
            "score": 64 * few.score,
            "local": 64 * few.local,
            "brightness": 8 * tuple(light(part, PixelFormat.RGB8).brightness for part in parts),
            "sharpness": 8 * tuple(light(part, PixelFormat.RGB8).sharpness for part in parts),
        }
    )
    edit_calibration(own_recipe, drift=known.model_dump(), threshold=1e9)
    edit_recipe(own_recipe, deadline_ms=600_000)
    dimmed = [(0.75 * part).astype(np.uint8) for part in parts[:DIMMED]]
    camera = CameraScene(
        serial="A1",
        images=[*parts[:GOOD], *dimmed],
        pixel_format=PixelFormat.RGB8,
        rate_hz=5,
        loop=False,
    )
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, station(own_recipe, "slots = 64"), scene) as line,
    ):
        line.until(lambda: len(line.verdicts) == GOOD + DIMMED, "a verdict of each part")
        assert line.stop() == 0
    assert {verdict.verdict for verdict in line.verdicts} == {Kind.PASS}
    drift = [alarm for alarm in line.alarms if alarm.code is AlarmCode.DRIFT]
    assert drift, "no alarm"
    assert drift[-1].station == "nut"
    assert drift[-1].text.startswith("light: ")
    assert "brightness fell from " in drift[-1].text
    assert (tmp_path / "state" / FOLDER / "nut.json").exists(), "what is known is kept"
