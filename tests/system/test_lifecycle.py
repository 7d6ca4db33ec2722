"""How the daemon starts, lives and ends as a service."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from daemon.simulator.scene import CameraScene, Scene, TriggerMode
from tests.system.line import LIMIT, Line, station

Images = list[NDArray[np.uint8]]


@pytest.fixture
def scene(shown: Images, tmp_path: Path) -> Iterator[Scene]:
    camera = CameraScene(serial="A1", images=shown, trigger=TriggerMode.SOFTWARE)
    with Scene.create(tmp_path / "scene", [camera]) as scene:
        yield scene


def settings_of(recipe: Path) -> str:
    return station(recipe, 'trigger = "software"')


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_systemd_hears_of_each_step(
    how: signal.Signals, scene: Scene, tiny_recipe: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with Line(tmp_path, settings_of(tiny_recipe), scene, environment=environment) as line:
            said: list[str] = []

            def hear(word: str) -> None:
                while not said or word not in said[-1]:
                    said.append(manager.recv(4096).decode())

            hear("READY=1")
            for _ in range(3):  # an idle line is alive
                hear("WATCHDOG=1")
            line.process.send_signal(how)
            hear("STOPPING=1")
            assert line.process.wait(LIMIT) == 0
    assert any("STATUS=loading recipes" in word for word in said)
    assert said.index(next(s for s in said if "STATUS" in s)) < said.index(
        next(s for s in said if "READY=1" in s)
    )


STALLING = """
import sys, threading
import daemon.inspection.infer

daemon.inspection.infer.Inspector.inspect = lambda self, frame: threading.Event().wait()
from daemon.main import main
sys.exit(main())
"""


def test_the_watchdog_goes_silent_when_a_stage_holds_a_frame(
    scene: Scene, tiny_recipe: Path, tmp_path: Path
) -> None:
    settings = settings_of(tiny_recipe) + "\n[health]\nstall_s = 1\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        command = (sys.executable, "-c", STALLING)
        with Line(tmp_path, settings, scene, command, environment) as line:
            line.running()
            assert line.ask(command="SoftwareTrigger").ok
            line.until(lambda: len(line.verdicts) == 1, "the timer's verdict")
            assert line.verdicts[0].reason == "late"
            line.until(lambda: "stalled" in line.log.read_text(), "the stall noticed")
            manager.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while manager.recv(4096):
                    pass
            manager.settimeout(1.0)  # five times the period
            with pytest.raises(TimeoutError):
                manager.recv(4096)


def test_a_dead_daemon_leaves_no_camera_process(
    scene: Scene, tiny_recipe: Path, tmp_path: Path
) -> None:
    with Line(tmp_path, settings_of(tiny_recipe), scene) as line:
        line.running()
        cameras = psutil.Process(line.process.pid).children()
        assert len(cameras) == 1
        line.process.kill()
        _, alive = psutil.wait_procs(cameras, timeout=LIMIT)
        assert not alive


def test_check_says_what_it_found(scene: Scene, tiny_recipe: Path, tmp_path: Path) -> None:
    config = tmp_path / "effad.toml"
    config.write_text(settings_of(tiny_recipe))
    done = run("--config", str(config), "--check", environment=scene.environ())
    assert done.returncode == 0, done.stderr
    assert "camera cam1 is effad effad simulator A1, 128 x 128 Mono8" in done.stdout
    assert done.stdout.endswith("ready to run\n")


def run(*arguments: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "daemon.main", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
