"""Frames and triggers of the simulated camera, through harvesters as any camera's."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from genicam import gentl
from numpy.typing import NDArray

from daemon.simulator.pixels import SENT
from daemon.simulator.scene import CameraScene, Fate, PixelFormat, TriggerMode, TriggerRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.daemon.simulator.conftest import Camera, MakeScene

    OpenCamera = Callable[[str], Camera]
    Greys = Callable[..., list[NDArray[np.uint8]]]


def mosaic(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    channel = np.indices(rgb.shape[:2]) % 2  # row and column parity: R is 0 + 0, B is 1 + 1
    return np.take_along_axis(rgb, channel.sum(axis=0)[:, :, None], axis=2)[:, :, 0]


def luma(rgb: NDArray[np.uint8], top: int) -> NDArray[np.float64]:
    exact = rgb @ np.array([0.299, 0.587, 0.114]) * (top / 255)
    return np.floor(np.asarray(exact) + (0.5 + 1e-9))  # halves go up


def fates(records: list[TriggerRecord]) -> list[Fate]:
    return [record.fate for record in records]


@pytest.mark.parametrize("pixel_format", SENT)
def test_frames_are_the_scene_pixel_by_pixel(
    pixel_format: PixelFormat, make_scene: MakeScene, open_camera: OpenCamera
) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)
    scene = make_scene(CameraScene("A", list(colours), pixel_format, rate_hz=0))
    camera = open_camera("A")

    before = time.monotonic_ns()
    camera.ia.start()
    frames = camera.take(7)
    camera.ia.stop()

    for n, frame in enumerate(frames):
        rgb = colours[n % 3]
        expected: NDArray[Any] = {
            PixelFormat.RGB8: rgb,
            PixelFormat.BAYER_RG8: mosaic(rgb),
            PixelFormat.MONO8: luma(rgb, 255),
            PixelFormat.MONO12: luma(rgb, 4095),
        }[pixel_format]
        assert frame.pixel_format == pixel_format
        assert (frame.width, frame.height) == (32, 24)
        assert frame.pixels.dtype == (np.uint16 if pixel_format is PixelFormat.MONO12 else np.uint8)
        assert frame.size_filled == frame.pixels.nbytes == expected.size * frame.pixels.itemsize
        np.testing.assert_array_equal(frame.pixels, expected.ravel())
    assert [frame.frame_id for frame in frames] == [1, 2, 3, 4, 5, 6, 7]
    stamps = [before, *(frame.timestamp_ns for frame in frames), time.monotonic_ns()]
    assert all(earlier < later for earlier, later in pairwise(stamps))
    records = scene.log("A")[:7]
    assert [(r.frame_id, r.timestamp_ns, r.image) for r in records] == [
        (f.frame_id, f.timestamp_ns, n % 3) for n, f in enumerate(frames)
    ]
    assert set(fates(records)) == {Fate.DELIVERED}


def test_mono12_images_pass_unchanged(make_scene: MakeScene, open_camera: OpenCamera) -> None:
    image = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 5
    make_scene(CameraScene("A", [image], PixelFormat.MONO12))
    camera = open_camera("A")
    camera.ia.start()
    np.testing.assert_array_equal(camera.take()[0].pixels, image.ravel())


def test_free_run_keeps_its_rate(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    make_scene(CameraScene("A", greys(1), rate_hz=50))
    camera = open_camera("A")
    camera.ia.num_buffers = 10
    camera.ia.start()
    frames = camera.take(11)
    seconds = (frames[-1].timestamp_ns - frames[0].timestamp_ns) / 1e9
    periods = frames[-1].frame_id - frames[0].frame_id
    assert 20 <= periods / seconds <= 60  # a busy machine may be late, never early


def test_each_software_trigger_makes_one_frame(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    images = greys(2)
    scene = make_scene(CameraScene("A", images, trigger=TriggerMode.SOFTWARE))
    camera = open_camera("A")
    with pytest.raises(gentl.NotAvailableException, match="no acquisition is running"):
        camera.trigger()
    camera.ia.start()
    for n in range(5):
        camera.trigger()
        (frame,) = camera.take()
        assert frame.frame_id == n + 1
        np.testing.assert_array_equal(frame.pixels, images[n % 2].ravel())
    assert camera.take_any() == []
    camera.ia.stop()
    with pytest.raises(gentl.NotAvailableException, match="no acquisition is running"):
        camera.trigger()
    assert camera.nodes.CounterValue.value == len(scene.log("A")) == scene.triggers("A") == 5


def test_every_edge_of_the_line_is_counted_and_logged(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    scene = make_scene(CameraScene("A", greys(5), trigger=TriggerMode.HARDWARE))
    scene.pulse("A", 2)  # nobody is there
    camera = open_camera("A")
    assert camera.nodes.CounterValue.value == 2
    scene.pulse("A", 3)  # nobody listens
    assert camera.nodes.CounterValue.value == 5
    with pytest.raises(gentl.NotAvailableException, match="not Software"):
        camera.trigger()

    camera.ia.num_buffers = 8
    camera.ia.start()
    scene.pulse("A", 6)
    assert [frame.frame_id for frame in camera.take(6)] == [1, 2, 3, 4, 5, 6]
    camera.ia.stop()
    scene.pulse("A")
    assert camera.nodes.CounterValue.value == 12

    records = scene.log("A")
    assert [record.trigger for record in records] == list(range(1, 13))
    assert [record.frame_id for record in records] == [0] * 5 + [1, 2, 3, 4, 5, 6] + [0]
    assert [record.image for record in records] == [-1] * 5 + [0, 1, 2, 3, 4, 0] + [-1]
    assert [record.acquisition for record in records] == [0] * 5 + [1] * 6 + [0]
    assert set(fates(records[5:11])) == {Fate.DELIVERED}
    assert set(fates(records[:5] + records[11:])) == {Fate.DISCARDED}


def test_the_line_is_ignored_by_other_trigger_sources(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    scene = make_scene(CameraScene("A", greys(1), trigger=TriggerMode.SOFTWARE))
    camera = open_camera("A")
    scene.pulse("A", 3)
    assert camera.nodes.CounterValue.value == 0
    camera.nodes.TriggerSource.value = "Line0"
    assert camera.nodes.CounterValue.value == 0
    scene.pulse("A")
    assert camera.nodes.CounterValue.value == 1


def test_free_run_without_loop_ends_and_goes_on_where_it_was(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys, until: Callable[..., None]
) -> None:
    images = greys(6)
    scene = make_scene(CameraScene("A", images, rate_hz=0, loop=False))
    camera = open_camera("A")
    camera.ia.start()
    camera.take(2)
    camera.ia.stop()
    done = scene.triggers("A")
    camera.ia.start()
    frames = camera.take_any()
    until(lambda: scene.triggers("A") == 6)
    assert [frame.frame_id for frame in frames] == list(range(1, 6 - done + 1))
    for frame, image in zip(frames, images[done:], strict=True):
        np.testing.assert_array_equal(frame.pixels, image.ravel())
    camera.ia.stop()
    camera.ia.start()
    assert camera.take_any() == []
    assert scene.triggers("A") == 6


@pytest.mark.parametrize(("mode", "count"), [("SingleFrame", 1), ("MultiFrame", 3)])
def test_an_acquisition_of_so_many_frames_ends_by_itself(
    mode: str, count: int, make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    scene = make_scene(CameraScene("A", greys(1), trigger=TriggerMode.SOFTWARE))
    camera = open_camera("A")
    camera.nodes.AcquisitionMode.value = mode
    if mode == "MultiFrame":
        camera.nodes.AcquisitionFrameCount.value = count
    for acquisition in (1, 2):
        camera.ia.start()
        camera.trigger(count)
        with pytest.raises(gentl.NotAvailableException):
            camera.trigger()
        assert [frame.frame_id for frame in camera.take(count)] == list(range(1, count + 1))
        camera.ia.stop()
        assert {r.acquisition for r in scene.log("A", after=count * (acquisition - 1))} == {
            acquisition
        }


def test_several_cameras_in_one_harvester(
    harvester: Any, make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    sizes = {"left": (24, 32), "right": (16, 48), "top": (40, 8)}
    images = {serial: greys(1, size)[0] for serial, size in sizes.items()}
    make_scene(*(CameraScene(serial, [image]) for serial, image in images.items()))
    cameras = {serial: open_camera(serial) for serial in sizes}
    assert [info.serial_number for info in harvester.device_info_list] == list(sizes)
    for camera in cameras.values():
        camera.ia.start()
    for serial, camera in cameras.items():
        assert camera.nodes.DeviceSerialNumber.value == serial
        for frame in camera.take(2):
            assert (frame.height, frame.width) == sizes[serial]
            np.testing.assert_array_equal(frame.pixels, images[serial].ravel())


def test_frames_that_nobody_queued_a_buffer_for_are_underruns(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys, until: Callable[..., None]
) -> None:
    scene = make_scene(CameraScene("A", greys(1), trigger=TriggerMode.SOFTWARE))
    camera = open_camera("A")
    camera.ia.num_buffers = 3
    camera.ia.start()
    camera.trigger(5)
    until(lambda: fates(scene.log("A"))[3:] == [Fate.UNDERRUN] * 2)
    assert camera.ia.data_streams[0].num_underrun == 2
    assert [frame.frame_id for frame in camera.take(3)] == [1, 2, 3]
    camera.trigger()
    assert [frame.frame_id for frame in camera.take()] == [6]
    assert fates(scene.log("A"))[:3] == [Fate.DELIVERED] * 3


def test_frames_not_fetched_before_the_stop_are_discarded(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    scene = make_scene(CameraScene("A", greys(1), trigger=TriggerMode.SOFTWARE))
    camera = open_camera("A")
    camera.nodes.ExposureTime.value = 50_000.0
    camera.ia.start()
    camera.trigger(3)
    camera.take()
    camera.ia.stop()
    assert fates(scene.log("A")) == [Fate.DELIVERED, Fate.DISCARDED, Fate.DISCARDED]


def test_large_frames_arrive_whole(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    images = greys(2, (1500, 2000))
    make_scene(CameraScene("A", images, rate_hz=0))
    camera = open_camera("A")
    camera.ia.start()
    for n, frame in enumerate(camera.take(12)):
        assert np.array_equal(frame.pixels, images[n % 2].ravel())
