"""Five cameras look at each part, as in Real-IAD: one verdict, and none without all five."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.messages import Kind, Reason
from daemon.simulator.scene import CameraScene, Fault, PixelFormat, Scene, TriggerMode
from tests.system.line import Line

Patient = Callable[..., Path]
Images = list[NDArray[np.uint8]]
SERIALS = ("A1", "B2", "C3", "D4", "E5")


def settings_of(recipe: Path, group_by: str) -> str:
    cameras = (
        f'[[stations.cameras]]\nname = "cam{n}"\nproducer = "simulator"\nserial = "{serial}"\n'
        'trigger = "hardware"\ncounter_poll_ms = 20'
        for n, serial in enumerate(SERIALS, start=1)
    )
    station = f'[[stations]]\nname = "nut"\nrecipe = "{recipe}"\ngroup_by = "{group_by}"\n'
    return station + "group_window_ms = 200\n" + "\n".join(cameras)


@pytest.mark.parametrize("group_by", ["counter", "window"])
def test_five_views_are_one_part(
    group_by: str, patient: Patient, shown: Images, tmp_path: Path
) -> None:
    cameras = [
        CameraScene(s, shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE) for s in SERIALS
    ]
    with (
        Scene.create(tmp_path / "scene", cameras) as scene,
        Line(tmp_path, settings_of(patient(), group_by), scene) as line,
    ):
        line.running()
        for number in (1, 2, 3, 4):
            if number == 3:
                scene.fault("B2", Fault.DROP)
            for serial in SERIALS:
                scene.pulse(serial)
            # That a frame was lost is seen at the next.
            known = number - (number == 3)
            line.until(lambda: len(line.verdicts) >= known, f"part {known}")  # noqa: B023
            line.until(lambda: scene.triggers("E5") >= number, "the triggers")  # noqa: B023
        assert line.stop() == 0
    parts = line.verdicts
    assert [v.seq for v in parts] == [1, 2, 3, 4]
    kinds = [part.verdict is Kind.NO_VERDICT for part in parts]
    assert kinds == [False, False, True, False], "a missing view is no verdict"
    (missing,) = [view for view in parts[2].views if view.verdict is Kind.NO_VERDICT]
    assert (missing.camera, missing.reason) == ("cam2", Reason.FRAME_LOST)
    for part in parts:
        times = [view.exposed_ns for view in part.views if view.exposed_ns is not None]
        assert max(times) - min(times) <= 200e6
        scores = [view.score for view in part.views if view.score is not None]
        assert part.score == max(scores)
    assert {p.seq for p in line.partial} >= {1, 2, 4}
    assert all(p.verdict is not Kind.PASS for p in line.partial)
