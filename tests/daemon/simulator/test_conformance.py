"""Harvesters' own test suite, with the simulated camera as its target."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from daemon.simulator.build import producer
from daemon.simulator.scene import CameraScene, Scene

# Most parts sleep most of their time: all run at once, each with a scene of its own.
RATES = "harvesters.test.test_acq_frame_rate"
PARTS = {
    "core": (75, ["harvesters.test.test_harvester_core"]),
    "threads": (1, [RATES, "-k", "multi_threaded and not Version1"]),
    "threads-v1": (1, [RATES, "-k", "multi_threaded and Version1"]),
    "rates": (3, [RATES, "-k", "not multi_threaded and not Version1"]),
    "rates-v1": (3, [RATES, "-k", "not multi_threaded and Version1"]),
}


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    images = list(np.random.default_rng(3).integers(0, 256, (4, 48, 64), dtype=np.uint8))
    cameras = [CameraScene(serial, images, rate_hz=100) for serial in ("A", "B", "C")]
    with Scene.create(folder / "scene", cameras) as scene:
        environment = {**os.environ, **scene.environ(), "HARVESTERS_TEST_TARGET": str(producer())}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--pyargs"]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=folder,  # away from this project's pytest settings
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(170)
def test_harvesters_own_suite_passes(tmp_path: Path) -> None:
    runs = {}
    for name, (_, arguments) in PARTS.items():
        (tmp_path / name).mkdir()
        runs[name] = start(tmp_path / name, arguments)
    try:
        outputs = {name: run.communicate(timeout=150)[0] for name, run in runs.items()}
    finally:
        for run in runs.values():
            run.kill()
            run.communicate()
    for name, (count, _) in PARTS.items():
        assert re.search(rf"^{count} passed(, \d+ deselected)?,? .*", outputs[name], re.M), outputs[
            name
        ][-4000:]
        assert runs[name].returncode == 0
