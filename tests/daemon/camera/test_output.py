"""The camera's own output: high at the gate for good parts, low whatever else happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise

from daemon.camera import link
from daemon.simulator.scene import Fault, OutputEdge, Scene
from tests.daemon.camera.conftest import CameraProcess, MakeScene, StartCamera, plan

MS = 1_000_000
JITTER_MS = 5.0  # 2 ms on a machine with a core to spare
OUTPUT = {
    "line": "Line1",
    "user_output": "UserOutput1",
    "pulse_ms": 30.0,
    "delay_ms": 150.0,
    "encoder_counts": None,
}
BY_ENCODER = {**OUTPUT, "delay_ms": None, "encoder_counts": 1500}
Until = Callable[[Callable[[], object]], None]
Spawned = Callable[..., "subprocess.Popen[str]"]


def pulses(scene: Scene) -> list[tuple[int, int]]:
    """Give each pulse's beginning and end, ns; they have to come one after the other."""
    edges = scene.output_log("A")
    assert all(edge.output == "Line1" for edge in edges)
    assert all(a.value != b.value for a, b in pairwise([OutputEdge(0, "", value=False), *edges]))
    assert not edges or not edges[-1].value, "low at the end"
    starts, ends = edges[::2], edges[1::2]
    return [(a.timestamp_ns, b.timestamp_ns) for a, b in zip(starts, ends, strict=True)]


def take(camera: CameraProcess, number: int) -> int:
    """Have a frame of the part ``number``, the first being 1; give its trigger."""
    camera.tell(link.Trigger(number=number))
    return camera.frames(number)[number - 1].trigger


def call_good(camera: CameraProcess, number: int, trigger: int) -> None:
    camera.tell(link.Output(number=number, trigger=trigger))


def test_a_good_part_gets_its_pulse_at_the_gate_and_no_other_does(
    make_scene: MakeScene, start_camera: StartCamera, until: Until
) -> None:
    scene = make_scene(clock_offset_ns=7 * 10**14)
    camera = start_camera(output=OUTPUT)
    triggers = [take(camera, number) for number in range(1, 4)]
    call_good(camera, 1, triggers[0])
    call_good(camera, 3, triggers[2])
    exposed = {record.trigger: record.timestamp_ns for record in scene.log("A")}
    until(lambda: len(scene.output_log("A")) in (2, 4) and not scene.output_log("A")[-1].value)
    trigger = take(camera, 4)
    call_good(camera, 4, trigger)
    exposed[trigger] = scene.log("A")[-1].timestamp_ns
    until(lambda: len(scene.output_log("A")) > 2 and not scene.output_log("A")[-1].value)
    camera.stop()
    found = pulses(scene)
    gates = [exposed[triggers[0]], exposed[triggers[2]], exposed[trigger]]
    gates = [at + 150 * MS for at in gates]
    if gates[1] - gates[0] < 30 * MS:  # the first two overlap: one pulse
        assert len(found) == 2
        assert abs(found[0][1] - (gates[1] + 30 * MS)) < JITTER_MS * MS
    for gate in (gates[0], gates[2]):
        begun = min(found, key=lambda pulse: abs(pulse[0] - gate))[0]
        assert abs(begun - gate) < JITTER_MS * MS
    assert abs(found[-1][1] - found[-1][0] - 30 * MS) < JITTER_MS * MS
    assert camera.all(link.OutputMissed) == []


def test_what_comes_too_late_is_not_given_but_said(
    make_scene: MakeScene, start_camera: StartCamera, until: Until
) -> None:
    scene = make_scene()
    camera = start_camera(output={**OUTPUT, "delay_ms": 20.0})
    trigger = take(camera, 1)
    exposed = scene.log("A")[-1].timestamp_ns
    until(lambda: time.monotonic_ns() > exposed + 40 * MS)
    call_good(camera, 1, trigger)
    call_good(camera, 2, 99)
    camera.until(lambda: len(camera.all(link.OutputMissed)) == 2)
    unknown, late = sorted(camera.all(link.OutputMissed), key=lambda missed: -missed.number)
    assert (late.number, late.trigger) == (1, trigger)
    assert "too late" in late.text
    assert (unknown.number, unknown.trigger) == (2, 99)
    assert "not known" in unknown.text
    camera.stop()
    assert pulses(scene) == []


def test_at_the_stop_the_output_is_low_and_what_was_to_come_is_said(
    make_scene: MakeScene, start_camera: StartCamera, until: Until
) -> None:
    scene = make_scene()
    camera = start_camera(output={**OUTPUT, "pulse_ms": 10_000.0})
    first = take(camera, 1)
    call_good(camera, 1, first)
    until(lambda: scene.output_log("A"))
    second = take(camera, 2)
    call_good(camera, 2, second)
    camera.stop()
    ((begun, ended),) = pulses(scene)
    assert ended - begun < 5000 * MS
    assert [missed.trigger for missed in camera.all(link.OutputMissed)] == [second]


def test_a_camera_that_was_lost_begins_low(
    make_scene: MakeScene, start_camera: StartCamera, until: Until
) -> None:
    scene = make_scene()
    camera = start_camera(output={**OUTPUT, "pulse_ms": 10_000.0})
    call_good(camera, 1, take(camera, 1))
    until(lambda: scene.output_log("A"))
    trigger = take(camera, 2)
    call_good(camera, 2, trigger)
    scene.fault("A", Fault.LOST, 300)
    camera.until(lambda: len(camera.all(link.Started)) == 2)
    assert [edge.value for edge in scene.output_log("A")] == [True, False]
    assert [missed.trigger for missed in camera.all(link.OutputMissed)] == [trigger]
    camera.stop()


def test_by_encoder_the_belt_decides(
    make_scene: MakeScene, start_camera: StartCamera, until: Until
) -> None:
    scene = make_scene(encoder_hz=10_000.0)  # 1500 counts are 150 ms
    scene.run_encoder("A", 10_000.0, count=2**32 - 2000)  # it wraps on the way
    camera = start_camera(output=BY_ENCODER)
    trigger = take(camera, 1)
    call_good(camera, 1, trigger)
    until(lambda: len(scene.output_log("A")) == 2)
    exposed = scene.log("A")[-1].timestamp_ns
    scene.run_encoder("A", 0)
    call_good(camera, 2, take(camera, 2))
    scene.run_encoder("A", 20_000.0)
    moved = scene.log("A")[-1].timestamp_ns
    until(lambda: len(scene.output_log("A")) == 4)
    camera.stop()
    first, second = pulses(scene)
    assert abs(first[0] - exposed - 150 * MS) < JITTER_MS * MS
    assert second[0] - moved >= 75 * MS, "the belt stood, then ran twice as fast"
    assert camera.all(link.OutputMissed) == []


def test_an_output_that_the_camera_has_not_is_refused(make_scene: MakeScene) -> None:
    make_scene()
    camera = CameraProcess(plan(output={**OUTPUT, "line": "Line7"}))
    camera.until(lambda: bool(camera.all(link.Refused)))
    (refused,) = camera.all(link.Refused)
    assert "LineSelector cannot be Line7" in refused.error
    assert "output_line" in refused.error
    camera.close()


DAEMON = """
import sys
from daemon.camera import link
from tests.daemon.camera.conftest import CameraProcess, plan

camera = CameraProcess(plan(output={**%r, "pulse_ms": 10_000.0, "delay_ms": 10.0}))
camera.started()
camera.tell(link.Trigger(number=1))
camera.tell(link.Output(number=1, trigger=camera.frames(1)[0].trigger))
print(camera.process.pid, flush=True)
sys.stdin.read()
"""


def test_when_the_daemon_is_killed_the_output_goes_low(
    make_scene: MakeScene, spawned: Spawned, until: Until
) -> None:
    scene = make_scene()
    daemon = spawned(sys.executable, "-c", DAEMON % OUTPUT)
    assert daemon.stdout is not None
    pid = int(daemon.stdout.readline())
    until(lambda: scene.output_log("A"))
    os.kill(pid, signal.SIGSTOP)  # so that it does not see the end before the signal comes
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    os.kill(pid, signal.SIGCONT)
    until(lambda: len(scene.output_log("A")) == 2)
    assert len(pulses(scene)) == 1
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


HANGING = """
import ctypes
from daemon.camera import process
from daemon.camera.acquisition import Acquisition

step = Acquisition._step

def hang(self):
    step(self)
    if self._account.last:
        while True:
            ctypes.PyDLL(None).pause()  # holds Python's lock, as a driver's call may

Acquisition._step = hang
process.main()
"""
PARENT = """
import subprocess, sys
import daemon.camera.spawn as spawning

popen = subprocess.Popen

def hanging(command, **options):
    return popen([command[0], "-c", sys.argv[1], *command[3:]], **options)

spawning.subprocess.Popen = hanging
"""


def test_a_process_that_hangs_when_its_daemon_is_killed_is_ended(
    make_scene: MakeScene, spawned: Spawned, until: Until
) -> None:
    make_scene()
    daemon = spawned(sys.executable, "-c", PARENT + DAEMON % OUTPUT, HANGING)
    assert daemon.stdout is not None
    pid = int(daemon.stdout.readline())
    os.kill(daemon.pid, signal.SIGKILL)
    until(lambda: not _runs(pid))
