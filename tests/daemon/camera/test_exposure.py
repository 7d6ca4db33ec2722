"""Frames carry the host's time of their exposure, whatever clock the camera has."""

import pytest

from daemon.camera import link
from daemon.simulator.scene import TriggerRecord
from tests.daemon.camera.conftest import CameraProcess, MakeScene, StartCamera

MS = 1_000_000


def errors(frames: list[link.Frame], log: list[TriggerRecord]) -> list[float]:
    """Give by how much each exposure is off the simulator's own record, in ms."""
    true = {record.trigger: record.timestamp_ns for record in log}
    return [abs(frame.exposed_ns - true[frame.trigger]) / MS for frame in frames]


def trigger(camera: CameraProcess, count: int) -> list[link.Frame]:
    for number in range(1, count + 1):
        camera.tell(link.Trigger(number=number))
        camera.frames(number)
    return camera.all(link.Frame)


@pytest.mark.parametrize("latch", [True, False])
def test_a_clock_with_offset_and_drift_is_brought_to_the_host_s(
    latch: bool, make_scene: MakeScene, start_camera: StartCamera, capfd: pytest.CaptureFixture[str]
) -> None:
    scene = make_scene(clock_offset_ns=10**15, clock_ppm=180.0, latch=latch)
    camera = start_camera()
    frames = trigger(camera, 30)
    off = errors(frames, scene.log("A"))
    assert frames[0].device_ns is not None
    assert frames[0].device_ns > 10**15
    assert max(off if latch else off[10:]) < 2, off
    assert all(frame.exposed_ns <= frame.received_ns for frame in frames)
    camera.stop()
    said = capfd.readouterr().err
    assert f'"quality": "{"latched" if latch else "fitted"}"' in said


def test_a_frame_that_was_held_up_keeps_the_time_of_its_exposure(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    from daemon.simulator.scene import Fault

    scene = make_scene(clock_offset_ns=5, clock_ppm=-100.0)
    camera = start_camera()
    trigger(camera, 3)
    scene.fault("A", Fault.STALL, 300)
    camera.tell(link.Trigger(number=4))
    held = camera.frames(4)[3]
    assert held.received_ns - held.exposed_ns > 200 * MS
    assert max(errors([held], scene.log("A"))) < 2
