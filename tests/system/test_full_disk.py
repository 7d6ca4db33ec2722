"""Where the journal's disk is full no verdict is told that is not kept, and effad ends."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.journal import JournalReader
from daemon.simulator.scene import CameraScene, PixelFormat, Scene
from tests.system.line import LIMIT, Line, station

Patient = Callable[..., Path]
Images = list[NDArray[np.uint8]]


def system(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=LIMIT).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    folder.mkdir()
    if not system("mount", "-t", "tmpfs", "-o", "size=5m", "effad-test", str(folder)):
        pytest.skip("no right to mount a file system here")
    yield folder
    assert system("umount", "-l", str(folder))


def test_no_verdict_is_told_that_is_not_kept(
    small_disk: Path, patient: Patient, shown: Images, tmp_path: Path
) -> None:
    camera = CameraScene("A1", shown, PixelFormat.MONO8, rate_hz=400)
    settings = station(patient(), "slots = 2") + '\n[images]\nkeep = "none"\n'
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        end = time.monotonic() + LIMIT
        while line.process.poll() is None:
            assert time.monotonic() < end, line.log.read_text()[-2000:]
            line.take(0.05)
        while line.take(0.3):
            pass
        assert line.process.wait() == 1
        (last,) = (
            said
            for said in map(json.loads, line.log.read_text().splitlines())
            if said["level"] == "critical"
        )
    assert "journal cannot be written" in last["event"]
    assert "Traceback" not in line.log.read_text()
    with JournalReader(small_disk) as reader:
        kept = {seq for (seq,) in reader.select("SELECT seq FROM verdict")}
    told = [verdict.seq for verdict in line.verdicts]
    assert len(told) > 100
    assert set(told) <= kept
    assert told == sorted(set(told))
