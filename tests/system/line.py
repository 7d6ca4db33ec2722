"""A real line for tests: the daemon as the service runs it, and a subscriber beside it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.client import Requester, Subscriber
from daemon.messages import Alarm, Heartbeat, Map, State, StateChange, Verdict
from daemon.replies import Reply
from daemon.requests import REQUEST
from daemon.simulator.scene import Fate, Scene, TriggerRecord
from daemon.wire import decode_map

LIMIT = 90.0  # seconds, for a busy machine

Reasons = dict[Fate, set[str]]


@dataclass
class Line:
    """One station ``nut`` with one camera ``cam1``; sockets in a folder of its own."""

    folder: Path
    settings: str  # TOML
    scene: Scene | None = None
    command: Sequence[str] = (sys.executable, "-m", "daemon.main")
    environment: dict[str, str] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    partial: list[Verdict] = field(default_factory=list)
    maps: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def endpoint(self, name: str) -> str:
        return f"ipc://{self.folder}/{name}"

    def __enter__(self) -> "Line":
        config = self.folder / "effad.toml"
        sockets = "\n".join(f'{n} = "{self.endpoint(n)}"' for n in ("control", "results", "maps"))
        own = f'[journal]\nfolder = "{self.folder}/state"\n[metrics]\nport = 0\n'
        config.write_text(f"{self.settings}\n[sockets]\n{sockets}\n{own}")
        self.subscriber = Subscriber(self.endpoint("results"), self.endpoint("maps"), partial=True)
        self.subscriber.__enter__()
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.command, "--config", str(config)],
                env={
                    **os.environ,
                    **(self.scene.environ() if self.scene else {}),
                    **self.environment,
                },
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.subscriber.__exit__(None, None, None)

    def until(self, reached: Callable[[], bool], what: str = "", limit: float = LIMIT) -> None:
        """Take in messages until a state is reached."""
        end = time.monotonic() + limit
        while not reached():
            assert self.process.poll() is None or reached(), self.log.read_text()[-3000:]
            assert time.monotonic() < end, f"not reached: {what}\n{self.log.read_text()[-3000:]}"
            self.take(0.05)

    def take(self, timeout: float) -> bool:
        try:
            received = self.subscriber.receive(timeout)
        except TimeoutError:
            return False
        match received.message:
            case Verdict() as verdict:
                (self.partial if verdict.isPartial else self.verdicts).append(verdict)
            case Map() as header:
                self.maps[header.seq] = decode_map(header, received.array)
            case Alarm() as alarm:
                self.alarms.append(alarm)
            case Heartbeat() as heartbeat:
                self.heartbeats.append(heartbeat)
            case StateChange() as change:
                self.states.append(change.state)
        return True

    def running(self) -> None:
        self.until(lambda: State.CONTINUOUS_EXECUTION in self.states, "running")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop in order, take in all that was still said, and give the exit status."""
        self.process.send_signal(how)
        end = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            self.take(0.05)
        while self.take(0.3):
            pass
        return self.process.wait()

    def ask(self, **request: Any) -> Reply:
        with Requester(self.endpoint("control"), LIMIT) as requester:
            return requester.ask(REQUEST.validate_python(request))


def said(settings: str, tmp_path: Path, scene: Scene | None, *arguments: str) -> str:
    """Run the daemon on settings that cannot work; give its one line."""
    config = tmp_path / "effad.toml"
    config.write_text(settings)
    done = subprocess.run(
        [sys.executable, "-m", "daemon.main", "--config", str(config), *arguments],
        env={**os.environ, **(scene.environ() if scene else {})},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("effad: error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def station(recipe: Path, *camera: str, producer: str = "simulator") -> str:
    """Give the settings of a station, and more lines of its camera."""
    return "\n".join(
        [
            "[[stations]]",
            'name = "nut"',
            f'recipe = "{recipe}"',
            "[[stations.cameras]]",
            f'producer = "{producer}"',
            *camera,
        ]
    )


#: What may become of a trigger, by what the simulator says it did with it.
INSPECTED = {"PASS", "FAIL"}
EXPECTED: Reasons = {
    Fate.DELIVERED: INSPECTED,
    Fate.DROPPED: {"frame_lost"},
    Fate.INCOMPLETE: {"incomplete"},
    Fate.SHORT: {"incomplete"},
    Fate.RESIZED: {"invalid"},
    Fate.UNDERRUN: {"frame_lost"},
    Fate.LOST: {"camera_down", "frame_lost"},
    Fate.DISCARDED: {"shutdown", "camera_down", "frame_lost"},
}


def assert_accounted(
    log: Sequence[TriggerRecord], verdicts: Sequence[Verdict], expected: Reasons
) -> None:
    """Hold the simulator's own log against the verdicts, one to one and id by id."""
    assert [v.seq for v in verdicts] == list(range(1, len(verdicts) + 1))
    by_trigger = {v.views[0].trigger: v for v in verdicts}
    assert len(by_trigger) == len(verdicts), "two verdicts for one trigger"
    known, judged = {r.trigger for r in log}, set(by_trigger)
    assert judged == known, f"without a verdict: {known - judged}, invented: {judged - known}"
    for record in log:
        verdict = by_trigger[record.trigger]
        view = verdict.views[0]
        said = str(verdict.reason or verdict.verdict)
        assert said in expected[record.fate], (record, verdict)
        if said in INSPECTED or said == "incomplete":
            assert view.frame_id == record.frame_id, (record, verdict)
        if said in INSPECTED:
            assert view.device_ns == record.timestamp_ns, (record, verdict)
