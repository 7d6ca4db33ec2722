"""EFFAD_SCENE not set, wrong, cut short, or made to do harm: no cameras, a clear text, no crash."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.simulator.scene import CameraScene, TriggerMode

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.daemon.simulator.conftest import MakeScene

    Spawn = Callable[..., subprocess.Popen[str]]

LIST = """
import json, logging, os, sys
from daemon.simulator.build import producer
from harvesters.core import Harvester
class Texts(logging.Handler):
    def emit(self, record):
        texts.append(record.getMessage())
logger = logging.getLogger("child")
logger.propagate = False
logger.addHandler(Texts())
for path in sys.argv[1:]:
    texts = []
    os.environ.pop("EFFAD_SCENE", None)
    if path:
        os.environ["EFFAD_SCENE"] = path
    harvester = Harvester(logger=logger)
    harvester.add_file(str(producer()))
    harvester.update()
    print(json.dumps([len(harvester.device_info_list), " ".join(texts)]))
    harvester.reset()
"""

FRAMES = """
import logging, os, sys
from daemon.simulator.build import producer
from harvesters.core import Harvester
listed = 0
for path in sys.argv[1:]:
    os.environ["EFFAD_SCENE"] = path
    harvester = Harvester(logger=logging.getLogger("child"))
    harvester.add_file(str(producer()))
    harvester.update()
    if harvester.device_info_list:
        listed += 1
        acquirer = harvester.create(0)
        acquirer.start()
        if buffer := acquirer.try_fetch(timeout=0.01):
            buffer.queue()
        acquirer.stop()
        acquirer.destroy()
    harvester.reset()
print(listed)
"""


def run(child: subprocess.Popen[str]) -> list[str]:
    out, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    return out.splitlines()


def test_what_is_no_scene_gives_no_cameras_and_says_why(
    make_scene: MakeScene, tmp_path: Path, spawn: Spawn
) -> None:
    scene = make_scene(CameraScene("A", [np.zeros((4, 6), np.uint8)]), log_capacity=64)
    whole = scene.path.read_bytes()
    contents = {
        "garbage": b"x" * 10_000,
        "empty": b"",
        "cut": whole[:-4096],
        "newer": whole[:8] + b"\x63" + whole[9:],
        "log": whole[: 4096 + 120] + b"\xff" * 8 + whole[4096 + 128 :],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [
        *(str(tmp_path / name) for name in contents),
        "/nowhere",
        str(tmp_path),
        "",
        scene.path,
    ]
    answers = [json.loads(line) for line in run(spawn(LIST, *map(str, paths)))]
    assert [count for count, _ in answers] == [0] * 8 + [1]
    for (_, text), why in zip(
        answers,
        [
            "garbage is not a scene file",
            "empty is not a scene file",
            "cut is truncated",
            "newer has version 99, this producer reads 2",
            "camera 0 in .*log is damaged",
            "/nowhere: No such file or directory",
            "Is a directory",
        ],
        strict=False,
    ):
        assert "EFFAD_SCENE" in text
        assert re.search(why, text), text


@pytest.mark.parametrize("seed", range(3))
def test_no_damage_to_a_scene_crashes_the_process(
    seed: int, make_scene: MakeScene, tmp_path: Path, spawn: Spawn
) -> None:
    images = [np.zeros((4, 6), np.uint8)] * 3
    scene = make_scene(
        CameraScene("A", images, rate_hz=0, trigger=TriggerMode.FREE_RUN), log_capacity=64
    )
    whole = scene.path.read_bytes()
    random = np.random.default_rng(seed)
    used = np.r_[0:24, 4096:4224, 4608:4672, 5120:5176]  # header, config, control, state
    paths = []
    for n in range(60):
        damaged = bytearray(whole)
        for where in random.choice(used, size=int(random.integers(1, 6))):
            damaged[where] = random.choice([0, 1, 127, 128, 255])
        (tmp_path / f"damaged{n}").write_bytes(damaged)
        paths.append(str(tmp_path / f"damaged{n}"))
    (listed,) = run(spawn(FRAMES, *paths))
    assert int(listed) > 5
