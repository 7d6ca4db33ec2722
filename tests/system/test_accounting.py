"""Every trigger that the simulated camera made has exactly one verdict, whatever goes wrong."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.messages import State, Verdict
from daemon.simulator.scene import CameraScene, Fate, Fault, PixelFormat, Scene, TriggerMode
from tests.system.line import EXPECTED, Line, assert_accounted, station

Patient = Callable[..., Path]
Images = list[NDArray[np.uint8]]


def scene_of(
    tmp_path: Path, images: Images, trigger: TriggerMode, *, rate_hz: float = 3.0
) -> Scene:
    camera = CameraScene(
        serial="A1",
        images=images,
        pixel_format=PixelFormat.BAYER_RG8,
        rate_hz=rate_hz,
        trigger=trigger,
    )
    return Scene.create(tmp_path / "scene", [camera])


def settled(line: Line, scene: Scene) -> Callable[[], bool]:
    return lambda: len(line.verdicts) >= scene.triggers("A1")


def all_faults(line: Line, scene: Scene, more: Callable[[int], None]) -> None:
    """Let every fault happen, each between frames that go well."""
    for fault, amount in (
        (Fault.DROP, 2),
        (Fault.INCOMPLETE, 2),
        (Fault.SHORT, 1),
        (Fault.RESIZE, 1),
        (Fault.STALL, 500),
        (Fault.LOST, 1500),
    ):
        scene.fault("A1", fault, amount)
        more(4)
    line.until(lambda: any(a.code == "camera_up" for a in line.alarms), "loss and return")
    before = len([v for v in line.verdicts if v.verdict != "NO_VERDICT"])
    more(3)
    line.until(
        lambda: len([v for v in line.verdicts if v.verdict != "NO_VERDICT"]) >= before + 2,
        "inspecting again after the loss",
    )


@pytest.mark.parametrize("mode", [TriggerMode.FREE_RUN, TriggerMode.HARDWARE])
def test_every_fault_is_accounted_for(
    mode: TriggerMode, patient: Patient, shown: Images, tmp_path: Path
) -> None:
    camera = ["slots = 64", "lost_after_ms = 400", "counter_poll_ms = 20"]
    settings = station(patient(), f'trigger = "{mode.value}"', *camera)
    with (
        scene_of(tmp_path, shown, mode) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()

        def more(count: int) -> None:
            """Have so many more triggers, and wait until the camera has made them."""
            wanted = scene.triggers("A1") + count
            if mode is TriggerMode.HARDWARE:
                scene.pulse("A1", count)
            line.until(lambda: scene.triggers("A1") >= wanted, f"{count} triggers")

        more(3)
        all_faults(line, scene, more)
        assert line.stop() == 0
        log = scene.log("A1")
    fates = {record.fate for record in log}
    assert {Fate.DELIVERED, Fate.DROPPED, Fate.INCOMPLETE, Fate.SHORT, Fate.RESIZED} <= fates
    assert_accounted(log, line.verdicts, EXPECTED)
    counts = line.heartbeats[-1].counts["nut"]
    assert counts.triggers == len(log) == counts.passed + counts.failed + counts.no_verdict


SWALLOWER = """
import sys
from daemon.inspection.outlet import Outlet

send = Outlet._send

def swallowing(self, one, committed_ns):
    if one.verdict.seq != 4:
        send(self, one, committed_ns)

Outlet._send = swallowing
from daemon.main import main
sys.exit(main())
"""


def test_a_swallowed_verdict_is_noticed(patient: Patient, shown: Images, tmp_path: Path) -> None:
    with (
        scene_of(tmp_path, shown, TriggerMode.FREE_RUN) as scene,
        Line(
            tmp_path,
            station(patient(), "slots = 64"),
            scene,
            command=(sys.executable, "-c", SWALLOWER),
        ) as line,
    ):
        line.until(lambda: len(line.verdicts) >= 8, "8 verdicts")
        assert line.stop() == 0
        log = scene.log("A1")
    assert "invariant" in {alarm.code for alarm in line.alarms}
    assert State.ERROR in line.states
    with pytest.raises(AssertionError):
        assert_accounted(log, line.verdicts, EXPECTED)


def test_a_killed_camera_process_is_replaced(
    patient: Patient, shown: Images, tmp_path: Path
) -> None:
    settings = station(patient(), "slots = 64", "restart_backoff_s = 0.1")
    with (
        scene_of(tmp_path, shown, TriggerMode.FREE_RUN) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.until(lambda: len(line.verdicts) >= 3, "3 verdicts")
        kill_camera(line)
        line.until(lambda: any(a.code == "camera_up" for a in line.alarms), "a new process")
        until = len(line.verdicts) + 3
        line.until(lambda: len(line.verdicts) >= until, "inspecting again")
        assert line.stop() == 0
        log = scene.log("A1")
    assert any(alarm.code == "camera_down" for alarm in line.alarms)
    assert_accounted(
        log, line.verdicts, {**EXPECTED, Fate.DELIVERED: {"PASS", "FAIL", "camera_down"}}
    )


def kill_camera(line: Line) -> None:
    import psutil

    (camera,) = psutil.Process(line.process.pid).children()
    camera.kill()


def test_overrun_and_late_are_verdicts(patient: Patient, shown: Images, tmp_path: Path) -> None:
    with (
        scene_of(tmp_path, shown, TriggerMode.FREE_RUN, rate_hz=200) as scene,
        Line(
            tmp_path, station(patient(deadline_ms=300), "slots = 2", "buffers = 64"), scene
        ) as line,
    ):
        line.until(lambda: len(line.verdicts) >= 150, "150 verdicts")
        assert line.stop() == 0
        log = scene.log("A1")
    reasons = {str(v.reason) for v in line.verdicts}
    assert "overrun" in reasons
    assert_accounted(
        log,
        line.verdicts,
        {**EXPECTED, Fate.DELIVERED: {"PASS", "FAIL", "overrun", "late", "frame_lost"}},
    )
    assert all(in_time(v, 300) for v in line.verdicts if v.verdict != "NO_VERDICT")


def in_time(verdict: Verdict, deadline_ms: float) -> bool:
    return verdict.published_ns - verdict.triggered_ns <= deadline_ms * 1e6
