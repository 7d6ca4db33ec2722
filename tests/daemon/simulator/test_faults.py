"""What goes wrong on purpose: how it looks through harvesters, and what the log says of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from genicam import gentl
from numpy.typing import NDArray

from daemon.simulator.scene import CameraScene, Fate, Fault, Scene, TriggerMode

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.daemon.simulator.conftest import Camera, MakeScene

    OpenCamera = Callable[[str], Camera]
    Greys = Callable[..., list[NDArray[np.uint8]]]

KILL = gentl.ACQ_STOP_FLAGS_LIST.ACQ_STOP_FLAGS_KILL


@pytest.fixture
def images(greys: Greys) -> list[NDArray[np.uint8]]:
    return greys(5)


@pytest.fixture
def scene(make_scene: MakeScene, images: list[NDArray[np.uint8]]) -> Scene:
    return make_scene(CameraScene("A", images, trigger=TriggerMode.SOFTWARE))


@pytest.fixture
def camera(scene: Scene, open_camera: OpenCamera) -> Camera:
    camera = open_camera("A")
    camera.ia.num_buffers = 8
    return camera


def fates(scene: Scene) -> list[Fate]:
    return [record.fate for record in scene.log("A")]


def test_dropped_frames_leave_a_gap_in_the_frame_ids(scene: Scene, camera: Camera) -> None:
    camera.ia.start()
    camera.trigger()
    camera.take()
    scene.fault("A", Fault.DROP, 2)
    camera.trigger(4)
    assert [frame.frame_id for frame in camera.take(2)] == [4, 5]
    assert fates(scene) == [Fate.DELIVERED, Fate.DROPPED, Fate.DROPPED] + [Fate.DELIVERED] * 2
    assert camera.incomplete.frame_ids == []


def test_incomplete_frames_are_known_by_their_frame_ids(scene: Scene, camera: Camera) -> None:
    camera.ia.start()
    scene.fault("A", Fault.INCOMPLETE, 2)
    camera.trigger(3)
    assert [frame.frame_id for frame in camera.take()] == [3]
    assert camera.incomplete.frame_ids == [1, 2]
    assert fates(scene) == [Fate.INCOMPLETE, Fate.INCOMPLETE, Fate.DELIVERED]


def test_a_short_frame_says_so_in_its_size_alone(
    scene: Scene, camera: Camera, images: list[NDArray[np.uint8]]
) -> None:
    camera.ia.start()
    scene.fault("A", Fault.SHORT)
    camera.trigger(2)
    short, whole = camera.take(2)
    assert (short.height, short.pixels.size, short.size_filled) == (24, 24 * 32, 12 * 32)
    np.testing.assert_array_equal(short.pixels[: 12 * 32], images[0][:12].ravel())
    assert not short.pixels[12 * 32 :].any()  # genicam clears a buffer when it is queued
    assert whole.size_filled == whole.pixels.size
    assert camera.incomplete.frame_ids == []
    assert fates(scene) == [Fate.SHORT, Fate.DELIVERED]


def test_a_resized_frame_is_half_as_high(
    scene: Scene, camera: Camera, images: list[NDArray[np.uint8]]
) -> None:
    camera.ia.start()
    scene.fault("A", Fault.RESIZE)
    camera.trigger(2)
    low, whole = camera.take(2)
    assert (low.width, low.height, low.size_filled) == (32, 12, 12 * 32)
    np.testing.assert_array_equal(low.pixels, images[0][:12].ravel())
    assert whole.height == 24
    assert fates(scene) == [Fate.RESIZED, Fate.DELIVERED]


def test_each_fault_takes_a_frame_of_its_own(scene: Scene, camera: Camera) -> None:
    camera.ia.start()
    for fault in (Fault.RESIZE, Fault.SHORT, Fault.INCOMPLETE, Fault.DROP):
        scene.fault("A", fault)
    camera.trigger(5)
    assert [frame.frame_id for frame in camera.take(2)] == [3, 4]
    camera.take()
    assert fates(scene) == [
        Fate.DROPPED,
        Fate.INCOMPLETE,
        Fate.SHORT,
        Fate.RESIZED,
        Fate.DELIVERED,
    ]


def test_a_stall_holds_frames_back_and_lets_them_all_go(scene: Scene, camera: Camera) -> None:
    camera.ia.start()
    begin = time.monotonic_ns()
    scene.fault("A", Fault.STALL, 200)
    camera.trigger(4)
    with pytest.raises(gentl.TimeoutException):
        camera.take(timeout=0.02)
    assert fates(scene) == [Fate.PENDING] * 4
    frames = camera.take(4)
    assert time.monotonic_ns() - begin >= 200_000_000
    assert [frame.frame_id for frame in frames] == [1, 2, 3, 4]
    assert all(frame.timestamp_ns - begin < 200_000_000 for frame in frames)
    assert fates(scene) == [Fate.DELIVERED] * 4


def test_a_lost_device_fails_wedges_and_is_cured(
    scene: Scene,
    camera: Camera,
    harvester: Any,
    open_camera: OpenCamera,
    until: Callable[..., None],
) -> None:
    camera.nodes.ExposureTime.value = 1e7
    camera.ia.start()
    camera.trigger(2)
    scene.fault("A", Fault.LOST, 400)
    until(lambda: fates(scene) == [Fate.LOST] * 2)
    with pytest.raises(gentl.IoException):
        _ = camera.nodes.Gain.value
    with pytest.raises(gentl.IoException):
        camera.nodes.TimestampLatch.execute()
    with pytest.raises(gentl.TimeoutException):
        camera.take(timeout=0.02)
    with pytest.raises(gentl.IoException):
        camera.ia.stop()
    assert not camera.ia.is_acquiring()
    with pytest.raises(gentl.BusyException):  # DSStopAcquisition was never called
        camera.ia.destroy()
    for stream in camera.ia.data_streams:
        stream.stop_acquisition(KILL)
    camera.ia.destroy()

    def found() -> bool:
        harvester.update()
        return bool(harvester.device_info_list)

    until(found)
    camera = open_camera("A")
    camera.ia.start()
    camera.trigger()
    assert [frame.frame_id for frame in camera.take()] == [1]
    assert camera.nodes.CounterValue.value == 3
    assert [record.acquisition for record in scene.log("A")] == [1, 1, 2]


def test_a_lost_device_is_not_listed_and_cannot_be_opened(
    scene: Scene, camera: Camera, harvester: Any
) -> None:
    camera.ia.destroy()
    scene.fault("A", Fault.LOST, 60_000)
    with pytest.raises(gentl.NotAvailableException):
        harvester.create({"serial_number": "A"})
    harvester.update()
    assert harvester.device_info_list == []
    scene.fault("A", Fault.LOST, 1)
    while not harvester.device_info_list:
        harvester.update()


def test_even_a_short_loss_kills_what_is_open(
    scene: Scene, camera: Camera, harvester: Any, open_camera: OpenCamera
) -> None:
    camera.ia.start()
    scene.fault("A", Fault.LOST, 1)
    with pytest.raises(gentl.IoException):
        camera.ia.stop()
    for stream in camera.ia.data_streams:
        stream.stop_acquisition(KILL)
    harvester.update()
    camera = open_camera("A")
    camera.ia.start()
    camera.trigger()
    camera.take()


def test_edges_while_the_device_is_lost_are_counted(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys, until: Callable[..., None]
) -> None:
    scene = make_scene(CameraScene("A", greys(3), trigger=TriggerMode.HARDWARE))
    camera = open_camera("A")
    camera.ia.start()
    scene.pulse("A", 2)
    camera.take(2)
    scene.fault("A", Fault.LOST, 60_000)
    scene.pulse("A", 3)
    until(lambda: fates(scene) == [Fate.DELIVERED] * 2 + [Fate.LOST] * 3)
    assert [record.frame_id for record in scene.log("A")] == [1, 2, 0, 0, 0]
    for stream in camera.ia.data_streams:
        stream.stop_acquisition(KILL)
    with pytest.raises(gentl.IoException):
        camera.ia.stop()


HOLD = """
import logging, os
from daemon.simulator.build import producer
from harvesters.core import Harvester
harvester = Harvester(logger=logging.getLogger("child"))
harvester.add_file(str(producer()))
harvester.update()
acquirer = harvester.create({"serial_number": "A"})
acquirer.remote_device.node_map.ExposureTime.value = 1e7
acquirer.start()
acquirer.remote_device.node_map.TriggerSoftware.execute()
print("open", flush=True)
input()
"""


def test_another_process_has_the_camera_until_it_is_killed(
    make_scene: MakeScene,
    harvester: Any,
    open_camera: OpenCamera,
    greys: Greys,
    spawn: Callable[..., subprocess.Popen[str]],
) -> None:
    scene = make_scene(
        CameraScene("A", greys(1), trigger=TriggerMode.SOFTWARE),
        CameraScene("B", greys(1), rate_hz=0),
    )
    child = spawn(HOLD)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    neighbour = open_camera("B")
    neighbour.ia.start()
    neighbour.take()
    assert [info.access_status for info in harvester.device_info_list] == [3, 5]
    with pytest.raises(gentl.AccessDeniedException, match="another process"):
        open_camera("A")
    assert fates(scene) == [Fate.PENDING]
    child.kill()
    child.wait()
    camera = open_camera("A")
    assert fates(scene) == [Fate.DISCARDED]
    camera.ia.start()
    camera.trigger()
    camera.take()
    assert [record.acquisition for record in scene.log("A")] == [1, 2]


def test_a_camera_is_opened_once_in_a_process(camera: Camera, open_camera: OpenCamera) -> None:
    with pytest.raises(gentl.AccessDeniedException, match="is open"):
        open_camera("A")
