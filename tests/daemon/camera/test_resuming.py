"""A camera's process goes on from what another knew, and names what was counted between."""

import signal
import time

from daemon.camera import link
from daemon.camera.numbering import MOST
from daemon.messages import Reason, TriggerSource
from daemon.simulator.scene import Fault, TriggerMode
from tests.daemon.camera.conftest import MakeScene, StartCamera

HARDWARE = TriggerSource.HARDWARE


def test_what_was_counted_while_effad_was_away_is_told_one_by_one(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    camera = start_camera(trigger=HARDWARE)
    scene.pulse("A", 3)
    last = camera.frames(3)[-1].trigger
    camera.process.send_signal(signal.SIGKILL)
    camera.process.wait()
    scene.pulse("A", 4)
    camera = start_camera(trigger=HARDWARE, last=last, resumed=True)
    (missed,) = camera.all(link.Missed)
    assert (missed.first, missed.last, missed.reason) == (4, 7, Reason.RESTART)
    assert missed.detail == "counted while effad was away"
    assert (camera.started().base, camera.started().shift) == (7, 0)
    scene.pulse("A")
    assert camera.frames(1)[0].trigger == 8
    camera.stop()


def test_a_device_that_began_again_is_followed_and_keeps_its_account(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    camera = start_camera(trigger=HARDWARE, last=50, resumed=True)
    assert (camera.started().base, camera.started().shift) == (50, 50)
    scene.pulse("A")
    assert camera.frames(1)[0].trigger == 51
    camera.stop()
    scene.pulse("A", 2)
    camera = start_camera(trigger=HARDWARE, last=51, shift=50, resumed=True)
    (missed,) = camera.all(link.Missed)
    assert (missed.first, missed.last) == (52, 53), "counted, though the counter is lower"
    camera.stop()


def test_far_too_many_are_one_interval(make_scene: MakeScene, start_camera: StartCamera) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    scene.pulse("A", MOST + 5)
    camera = start_camera(trigger=HARDWARE, last=4, resumed=True)
    (told,) = camera.all(link.Unaccounted)
    assert (told.triggers, told.since_ns) == (MOST + 1, None)
    assert camera.all(link.Missed) == []
    assert camera.started().base == 4, "the numbers go on without a hole"
    scene.pulse("A", 2)
    assert [frame.trigger for frame in camera.frames(2)] == [5, 6]
    camera.stop()
    assert camera.all(link.Missed) == []


def test_software_triggers_of_a_dead_process_are_not_told_again(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    """Each is a part that was opened before it was sent: a second verdict would be one too many."""
    make_scene()
    camera = start_camera()
    for number in (1, 2):
        camera.tell(link.Trigger(number=number))
        camera.frames(number)
    camera.process.send_signal(signal.SIGKILL)
    camera.process.wait()
    camera = start_camera(last=1)
    assert camera.all(link.Missed) == []
    assert camera.started().base == 2
    camera.tell(link.Trigger(number=3))
    assert camera.frames(1)[0].trigger == camera.all(link.Triggered)[0].trigger == 3
    camera.stop()


def test_a_camera_that_does_not_answer_at_the_stop_is_an_interval(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    camera = start_camera(trigger=HARDWARE, lost_after_ms=60_000)
    scene.pulse("A", 3)
    camera.frames(3)
    began = time.time_ns()
    scene.fault("A", Fault.LOST, 60_000)
    camera.stop()
    (told,) = camera.all(link.Unaccounted)
    assert told.since_ns is not None
    assert told.since_ns <= told.until_ns
    assert told.until_ns > began
    assert camera.all(link.Stopped) == [link.Stopped(counter=None)]
