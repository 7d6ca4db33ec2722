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
    "rates": (2, [RATES, "-k", "(zero_sleep or single_threaded) and not Version1"]),
    "rates-v1": (2, [RATES, "-k", "(zero_sleep or single_threaded) and Version1"]),
}
#: Two threads that read nodes at once can lock each other out for ever, whatever the producer: one
#: holds GenApi's lock and wants Python's to call the port, the other the other way round (genapi.py
#: get_node and core/port.py read, seen by their stacks). So these may hang, and try again.
ACCESS = {
    "access": (1, [RATES, "-k", "multiple_access and not Version1"]),
    "access-v1": (1, [RATES, "-k", "multiple_access and Version1"]),
}
ATTEMPTS, PATIENCE = 4, 30  # seconds; one takes 5


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    folder.mkdir()
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


def assert_passed(run: subprocess.Popen[str], output: str, count: int) -> None:
    found = re.search(rf"^{count} passed(, \d+ deselected)?,? .*", output, re.M)
    assert found, output[-4000:]
    assert run.returncode == 0


@pytest.mark.timeout(170)
def test_harvesters_own_suite_passes(tmp_path: Path) -> None:
    runs = {name: start(tmp_path / name, arguments) for name, (_, arguments) in PARTS.items()}
    try:
        outputs = {name: run.communicate(timeout=150)[0] for name, run in runs.items()}
    finally:
        for run in runs.values():
            run.kill()
            run.communicate()
    for name, (count, _) in PARTS.items():
        assert_passed(runs[name], outputs[name], count)


@pytest.mark.parametrize("name", list(ACCESS))
def test_nodes_are_read_by_several_threads(name: str, tmp_path: Path) -> None:
    count, arguments = ACCESS[name]
    for attempt in range(ATTEMPTS):
        run = start(tmp_path / str(attempt), arguments)
        try:
            output, _ = run.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
            continue
        assert_passed(run, output, count)
        return
    pytest.fail(f"hung {ATTEMPTS} times of {ATTEMPTS}: that is not chance")
