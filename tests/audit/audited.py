"""A line under audit: the simulated camera, the daemon, and the auditor beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import zmq

from daemon.simulator.scene import CameraScene, Scene, TriggerMode
from tests.audit import tiny

ROOT = Path(__file__).parents[2]
SERIAL = "A1"
LIMIT = 90.0  # seconds, for a busy machine


def made_recipe(folder: Path, deadline_ms: int) -> Path:
    """Make a bundle and a recipe of the tiny networks, in a process of its own."""
    command = [sys.executable, "-m", "tests.audit.tiny", str(folder / "tiny")]
    subprocess.run(
        [*command, "--deadline-ms", str(deadline_ms)], check=True, cwd=ROOT, capture_output=True
    )
    return folder / "tiny" / "recipe"


@dataclass(frozen=True)
class Setting:
    """What a run is made of."""

    recipe: Path
    deadline_ms: int = 2000  # as the recipe's
    rate_hz: float = 200.0
    trigger: TriggerMode = TriggerMode.FREE_RUN
    slots: int = 8
    buffers: int = 64
    heartbeat_s: float = 0.5
    capacity: int = 1 << 20  # triggers that the scene's log holds
    maps: str = "none"
    results_hwm: int = 1000
    launch: tuple[str, ...] = ("tests.audit.launch",)  # module and its first arguments
    environment: dict[str, str] = field(default_factory=dict)


class Audited:
    """A context manager; ``finish`` ends the line in order and gives the auditor's summary."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.folder = folder
        self.setting = setting
        self.log = folder / "log"
        camera = CameraScene(
            serial=SERIAL,
            images=tiny.images(),
            rate_hz=setting.rate_hz,
            trigger=setting.trigger,
        )
        self.scene = Scene.create(folder / "scene", [camera], log_capacity=setting.capacity)
        self.pulsed = 0  # edges so far
        self.started_ns = 0  # Unix epoch: when the daemon was started, and before its own epoch
        self._started: subprocess.Popen[bytes] | None = None
        self._config = folder / "effad.toml"
        self._config.write_text(self._settings())

    def endpoint(self, name: str) -> str:
        return f"ipc://{self.folder}/{name}"

    def _settings(self) -> str:
        s = self.setting
        return f"""
[[stations]]
name = "nut"
recipe = "{s.recipe}"
[[stations.cameras]]
producer = "simulator"
trigger = "{s.trigger.value}"
slots = {s.slots}
buffers = {s.buffers}
counter_poll_ms = 20
lost_after_ms = 300
restart_backoff_s = 0.1
restarts = 1000
[journal]
folder = "state"
[metrics]
port = 0
[images]
keep = "none"
[sockets]
control = "{self.endpoint("control")}"
results = "{self.endpoint("results")}"
maps = "{self.endpoint("maps")}"
publish_maps = "{s.maps}"
results_hwm = {s.results_hwm}
heartbeat_s = {s.heartbeat_s}
[engine]
threads = 1
[log]
level = "warning"
format = "json"
"""

    def __enter__(self) -> Self:
        s = self.setting
        self.auditor = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.audit.auditor", "--station", "nut"),
                *("--results", self.endpoint("results"), "--control", self.endpoint("control")),
                *("--scene", str(self.scene.path), "--serial", SERIAL, "--slots", str(s.slots)),
                *("--deadline-ms", str(s.deadline_ms)),
            ],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self.start()
        return self

    def start(self, *launch: str) -> None:
        """Start the daemon, again after it was killed; ``launch``: by another module."""
        self.end()
        self.started_ns = time.time_ns()
        with self.log.open("ab") as log:
            self._started = subprocess.Popen(
                [
                    *(sys.executable, "-m", *(launch or self.setting.launch)),
                    *("--config", str(self._config)),
                ],
                env={**os.environ, **self.scene.environ(), **self.setting.environment},
                stderr=log,
                cwd=ROOT,
            )

    def end(self) -> None:
        """Kill the daemon if it still runs."""
        if self._started is not None:
            self._started.kill()
            self._started.wait()

    def __exit__(self, *_: object) -> None:
        self.end()
        self.auditor.kill()
        self.auditor.wait()
        if self.auditor.stdout is not None:
            self.auditor.stdout.close()
        self.scene.close()

    @property
    def daemon(self) -> "subprocess.Popen[bytes]":
        assert self._started is not None, "not started"
        return self._started

    @property
    def triggers(self) -> int:
        return self.scene.triggers(SERIAL)

    def until(self, triggers: int, limit: float = LIMIT) -> None:
        """Wait until the camera has made so many triggers."""
        self.until_true(lambda: self.triggers >= triggers, f"{triggers} triggers", limit)

    def until_true(self, reached: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
        """Wait until something is so."""
        end = time.monotonic() + limit
        while not reached():
            self.check()
            assert time.monotonic() < end, f"not reached: {what}: {self.words()}"
            time.sleep(0.02)

    def until_running(self) -> None:
        """Wait until the daemon inspects."""
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.linger = 0
            socket.subscribe("state/")
            socket.connect(self.endpoint("results"))
            end = time.monotonic() + LIMIT
            while True:
                self.check()
                assert time.monotonic() < end, self.words()
                if socket.poll(100) and b'"ContinuousExecution"' in socket.recv_multipart()[1]:
                    return

    def pulse(self, count: int) -> None:
        """Put edges on the trigger line."""
        if count > 0:
            self.scene.pulse(SERIAL, count)
            self.pulsed += count

    def spent(self) -> dict[str, Counter[str]]:
        """Give the CPU time that each thread of each process has spent so far, in ns."""
        camera = self.camera()
        assert camera is not None, self.words()
        return {"daemon": spent(self.daemon.pid), "camera": spent(camera.pid)}

    def check(self) -> None:
        assert self.daemon.poll() is None, self.words()

    def words(self) -> str:
        """Give the end of the daemon's log."""
        return self.log.read_text()[-3000:]

    def camera(self) -> psutil.Process | None:
        """Give the camera's process, if one runs."""
        children = psutil.Process(self.daemon.pid).children()
        return children[0] if children else None

    def finish(self) -> tuple[int, dict[str, Any]]:
        """End the daemon, then the auditor; give the auditor's exit status and summary."""
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(LIMIT)
        self.auditor.send_signal(signal.SIGTERM)
        said, _ = self.auditor.communicate(timeout=600)
        return self.auditor.returncode, json.loads(said)


def spent(pid: int) -> Counter[str]:
    """Give the CPU time of each thread of a process so far, in ns, by its name."""
    found: Counter[str] = Counter()
    own = Path(f"/proc/{pid}/comm").read_text()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            ran = int((task / "schedstat").read_text().split()[0])
            comm = (task / "comm").read_text()
            unnamed = "main" if task.name == str(pid) else "of a library"
            found[unnamed if comm == own else comm.strip()] += ran
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
    return found
