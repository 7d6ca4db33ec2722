"""A camera's process, real, at a simulated camera; the test is its daemon."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from daemon.camera import link
from daemon.camera.plan import Plan
from daemon.camera.spawn import spawn
from daemon.messages import TriggerSource
from daemon.simulator.build import producer
from daemon.simulator.scene import CameraScene, Scene, TriggerMode
from daemon.slots import Slots

S = TypeVar("S", bound=link.FromCamera)
LIMIT = 30.0  # seconds, for a busy machine
GREY = np.zeros((16, 16), np.uint8)


class CameraProcess:
    """The daemon's end of a camera's process; each slot is given back as it comes."""

    def __init__(self, plan: Plan) -> None:
        self.end, self.process = spawn(plan)
        self.end.settimeout(LIMIT)
        self.said: list[link.FromCamera] = []
        self._slots: Slots | None = None

    def until(self, reached: Callable[[], bool]) -> None:
        """Hear the camera out until a state is reached."""
        until = time.monotonic() + LIMIT
        while not reached():
            assert time.monotonic() < until, self.said
            self.hear()

    def hear(self) -> None:
        said = link.receive_from_camera(self.end)
        assert said is not None, self.said
        self.said.append(said)
        if isinstance(said, link.Opened):
            self._slots = Slots.create(8, said.width * said.height)
            use = link.UseSlots(count=8, size=self._slots.size)
            link.send(self.end, use, self._slots.descriptor)
        elif isinstance(said, link.Frame) and self._slots is not None:
            self._slots.give_back(said.slot)

    def all(self, kind: type[S]) -> list[S]:
        return [said for said in self.said if isinstance(said, kind)]

    def started(self) -> link.Started:
        self.until(lambda: bool(self.all(link.Started)))
        return self.all(link.Started)[-1]

    def frames(self, count: int) -> list[link.Frame]:
        """Wait for so many frames in all."""
        self.until(lambda: len(self.all(link.Frame)) >= count)
        return self.all(link.Frame)

    def tell(self, said: link.ToCamera) -> None:
        link.send(self.end, said)

    def stop(self) -> None:
        """Stop in order."""
        self.tell(link.Stop())
        self.until(lambda: bool(self.all(link.Stopped)))
        assert self.process.wait(LIMIT) == 0

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.end.close()
        if self._slots is not None:
            self._slots.close()


StartCamera = Callable[..., CameraProcess]
MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeScene]:
    """Makes a scene with the camera A, which new processes see."""
    scenes: list[Scene] = []

    def make(trigger: TriggerMode = TriggerMode.SOFTWARE, **options: object) -> Scene:
        camera = CameraScene("A", [GREY], trigger=trigger, **options)  # type: ignore[arg-type]
        scene = Scene.create(tmp_path / "scene", [camera], log_capacity=1024)
        scenes.append(scene)
        for name, value in scene.environ().items():
            monkeypatch.setenv(name, value)
        return scene

    yield make
    for scene in scenes:
        scene.close()


def plan(**changes: object) -> Plan:
    known = {
        "name": "cam1",
        "producer": producer(),
        "serial": "A",
        "trigger": TriggerSource.SOFTWARE,
        "buffers": 8,
        "counter_poll_ms": 20,
        "lost_after_ms": 500,
        "log_level": "info",
        "log_format": "json",
    }
    return Plan.model_validate({**known, **changes})


@pytest.fixture
def start_camera() -> Iterator[StartCamera]:
    """Starts a camera's process with changes of the plan; gives it as it acquires."""
    started: list[CameraProcess] = []

    def start(**changes: object) -> CameraProcess:
        camera = CameraProcess(plan(**changes))
        started.append(camera)
        camera.started()
        return camera

    yield start
    for camera in started:
        camera.close()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until a condition holds."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, "what the test waits for did not happen"
            time.sleep(0.002)

    return wait


@pytest.fixture
def spawned() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Runs a command with pipes; what still runs is killed."""
    children: list[subprocess.Popen[str]] = []

    def run(*command: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()
