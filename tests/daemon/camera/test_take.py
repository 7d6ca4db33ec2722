"""Frames of a camera that no daemon uses, from the simulated camera."""

from collections.abc import Callable

import pytest

from daemon.camera.take import Taker
from daemon.messages import TriggerSource
from daemon.simulator.scene import Fate, Fault, Scene, TriggerMode
from models.errors import InputError
from models.pixel_format import PixelFormat
from tests.daemon.camera.conftest import plan

Show = Callable[..., Scene]


def test_each_frame_has_a_trigger_of_its_own(make_scene: Show) -> None:
    scene = make_scene(TriggerMode.SOFTWARE, pixel_format=PixelFormat.MONO12)
    with Taker(plan()) as taker:
        taken = [taker.take() for _ in range(3)]
    assert [one.trigger for one in taken] == [1, 2, 3]
    assert {one.pixel_format for one in taken} == {PixelFormat.MONO12}
    assert {(one.pixels.shape, one.pixels.dtype.name) for one in taken} == {((16, 16), "uint16")}
    assert [record.fate for record in scene.log("A")] == [Fate.DELIVERED] * 3


def test_a_camera_that_runs_by_itself(make_scene: Show) -> None:
    make_scene(TriggerMode.FREE_RUN, rate_hz=50)
    with Taker(plan(trigger=TriggerSource.FREE_RUN)) as taker:
        numbers = [taker.take().trigger for _ in range(12)]  # more than there are slots
    assert numbers == sorted(set(numbers))


def test_only_the_newest_is_taken(make_scene: Show, until: Callable[..., None]) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    with Taker(plan(trigger=TriggerSource.HARDWARE)) as taker:
        scene.pulse("A", 3)
        until(lambda: [r.fate for r in scene.log("A")] == [Fate.DELIVERED] * 3)
        first = taker.take(newest=True).trigger
        scene.pulse("A", 1)
        assert 4 in (taker.take(newest=True).trigger for _ in range(2))
    assert first in (2, 3), "older ones were let go, the last may still be on its way"


def test_the_camera_is_free_again_at_once(make_scene: Show) -> None:
    make_scene(TriggerMode.SOFTWARE)
    for _ in range(2):
        with Taker(plan()) as taker:
            taker.take()
        assert taker._process.poll() == 0


def test_no_frame_is_a_line(make_scene: Show) -> None:
    make_scene(TriggerMode.HARDWARE)
    hardware = plan(trigger=TriggerSource.HARDWARE)
    with (
        pytest.raises(InputError, match=r"nothing came within 0\.2 s; its trigger is hardware"),
        Taker(hardware, patience_s=0.2) as taker,
    ):
        taker.take()


def test_a_camera_that_goes_away_is_a_line(make_scene: Show) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    hardware = plan(trigger=TriggerSource.HARDWARE, lost_after_ms=200)
    with Taker(hardware) as taker:
        scene.fault("A", Fault.LOST, 10_000)
        with pytest.raises(InputError, match="camera cam1: went away"):
            taker.take()


def test_no_such_camera_is_a_line(make_scene: Show) -> None:
    make_scene(TriggerMode.SOFTWARE)
    with pytest.raises(InputError, match="no camera with serial 'B'"), Taker(plan(serial="B")):
        pass
