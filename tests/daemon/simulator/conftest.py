"""Simulated cameras behind real harvesters, in this process."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harvesters.core import Callback, Harvester
from numpy.typing import NDArray

from daemon.simulator.build import producer
from daemon.simulator.scene import CameraScene, Scene

ROOT = Path(__file__).parents[3]
MakeScene = Callable[..., Scene]


@dataclass(frozen=True)
class Frame:
    """A buffer's contents, copied before it was queued again."""

    frame_id: int
    timestamp_ns: int
    pixels: NDArray[Any]  # flat, as harvesters gives them
    width: int
    height: int
    size_filled: int
    pixel_format: str


class Incomplete(Callback):  # type: ignore[misc]
    """FrameIDs of the incomplete buffers that harvesters discards.

    It has queued the buffer again by the time it calls; what the buffer tells of its frame stays
    until it is filled again, which with n buffers is n - 1 frames later.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frame_ids: list[int] = []

    def emit(self, context: Any) -> None:
        for monitor in context._new_buffer_event_monitor_dict.values():
            self.frame_ids.append(monitor.buffer.frame_id)


class Camera:
    """An image acquirer, and a test's words for using one."""

    def __init__(self, acquirer: Any) -> None:
        self.ia = acquirer
        self.nodes = acquirer.remote_device.node_map
        self.incomplete = Incomplete()
        acquirer.add_callback(acquirer.Events.INCOMPLETE_BUFFER, self.incomplete)

    def take(self, n: int = 1, timeout: float = 10.0) -> list[Frame]:
        """The next n frames. Raises gentl.TimeoutException."""
        return [self._taken(self.ia.fetch(timeout=timeout)) for _ in range(n)]

    def take_any(self, limit: float = 0.05) -> list[Frame]:
        """The frames that come until none has come for `limit` seconds."""
        frames = []
        while buffer := self.ia.try_fetch(timeout=limit):
            frames.append(self._taken(buffer))
        return frames

    @staticmethod
    def _taken(buffer: Any) -> Frame:
        with buffer:
            image = buffer.payload.components[0]
            return Frame(
                buffer.frame_id,
                buffer.timestamp_ns,
                image.data.copy(),
                image.width,
                image.height,
                buffer.size_filled,
                image.data_format,
            )

    def trigger(self, n: int = 1) -> None:
        for _ in range(n):
            self.nodes.TriggerSoftware.execute()


@pytest.fixture
def make_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeScene]:
    """Makes a scene and names it in this process's environment."""
    scenes: list[Scene] = []

    def make(*cameras: CameraScene, **options: Any) -> Scene:
        scene = Scene.create(tmp_path / f"{len(scenes)}.scene", cameras, **options)
        scenes.append(scene)
        for name, value in scene.environ().items():
            monkeypatch.setenv(name, value)
        return scene

    yield make
    for scene in scenes:
        scene.close()


@pytest.fixture
def harvester(make_scene: MakeScene) -> Iterator[Any]:
    """With the producer added. A test makes its scene, then calls update()."""
    interrupt = signal.getsignal(signal.SIGINT)
    harvester = Harvester(logger=logging.getLogger("test"))
    harvester.add_file(str(producer()), check_existence=True)
    yield harvester
    harvester.reset()
    signal.signal(signal.SIGINT, interrupt)  # create() takes it


@pytest.fixture
def open_camera(harvester: Any) -> Callable[[str], Camera]:
    """Opens a camera by its serial; the first call looks for cameras."""

    def open_(serial: str) -> Camera:
        if not harvester.device_info_list:
            harvester.update()
        return Camera(harvester.create({"serial_number": serial}))

    return open_


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs Python code in a process of its own, with pipes; those still alive are killed."""
    children: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def greys() -> Callable[..., list[NDArray[np.uint8]]]:
    """Random images of the wanted number and size, (H, W) uint8."""

    def make(count: int, shape: tuple[int, int] = (24, 32)) -> list[NDArray[np.uint8]]:
        return list(np.random.default_rng(7).integers(0, 256, (count, *shape), dtype=np.uint8))

    return make


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits until a condition holds; fails the test after 10 s."""

    def wait(condition: Callable[[], object], limit: float = 10.0) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, "what the test waits for did not happen"
            time.sleep(0.001)

    return wait
