"""A good part opens the gate by the camera's own output; whatever else happens does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.messages import AlarmCode, Kind
from daemon.simulator.scene import CameraScene, Fault, PixelFormat, Scene, TriggerMode
from tests.system.line import Line, said, station

Patient = Callable[..., Path]
Images = list[NDArray[np.uint8]]
DELAY_MS = 4000
PARTS = 6


def test_only_good_parts_get_a_pulse_and_each_at_its_time(
    patient: Patient, shown: Images, tmp_path: Path
) -> None:
    camera = CameraScene("A1", shown, PixelFormat.RGB8, trigger=TriggerMode.HARDWARE)
    output = ['output_line = "Line1"', f"output_delay_ms = {DELAY_MS}", "output_pulse_ms = 40"]
    settings = station(patient(deadline_ms=DELAY_MS), 'trigger = "hardware"', *output)
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        for part in range(1, PARTS + 1):
            if part == 3:
                scene.fault("A1", Fault.SHORT)
            scene.pulse("A1")
            line.until(lambda: len(line.verdicts) >= part, f"part {part}")  # noqa: B023
        good = [v for v in line.verdicts if v.verdict is Kind.PASS]

        def told() -> bool:
            """Each good part has had its pulse, which has ended, or an alarm that says why not."""
            missed = sum(alarm.code is AlarmCode.OUTPUT for alarm in line.alarms)
            edges = scene.output_log("A1")
            highs = sum(edge.value for edge in edges)
            return highs + missed >= len(good) and (not edges or not edges[-1].value)

        line.until(told, "the gate")
        assert line.stop() == 0
        exposed = {record.trigger: record.timestamp_ns for record in scene.log("A1")}
        highs = [edge.timestamp_ns for edge in scene.output_log("A1") if edge.value]
    assert good, "nothing passed: this shows nothing"
    assert len(good) < PARTS
    assert len(highs) >= len(good) - 1, "on a busy machine one may come too late, and is told"
    due = [exposed[v.views[0].trigger or 0] + DELAY_MS * 1_000_000 for v in good]
    for high in highs:
        assert min(abs(high - at) for at in due) < 25e6, "a pulse that no good part was due"


def test_a_gate_before_the_deadline_is_refused(patient: Patient, tmp_path: Path) -> None:
    output = ['output_line = "Line1"', f"output_delay_ms = {DELAY_MS - 1}"]
    settings = station(patient(deadline_ms=DELAY_MS), 'trigger = "hardware"', *output)
    with Scene.create(
        tmp_path / "scene", [CameraScene("A1", [np.zeros((128, 128), np.uint8)])]
    ) as scene:
        line = said(settings, tmp_path, scene)
    assert "output_delay_ms = 3999: the recipe's deadline is 4000 ms" in line
