"""The simulated camera's identity and settings, through harvesters as any camera's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from genicam import genapi
from numpy.typing import NDArray

from daemon.simulator.scene import CameraScene, PixelFormat, TriggerMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.daemon.simulator.conftest import Camera, MakeScene

    OpenCamera = Callable[[str], Camera]
    Greys = Callable[..., list[NDArray[np.uint8]]]


def test_identity(harvester: Any, make_scene: MakeScene, greys: Greys) -> None:
    make_scene(CameraScene("SN-1", greys(1)))
    harvester.update()
    (info,) = harvester.device_info_list
    assert (info.id_, info.vendor, info.model) == ("effad-SN-1", "effad", "effad simulator")
    assert (info.serial_number, info.tl_type, info.access_status) == ("SN-1", "Custom", 1)
    with harvester.create({"id_": "effad-SN-1"}) as acquirer:
        nodes = acquirer.remote_device.node_map
        assert nodes.DeviceVendorName.value == "effad"
        assert nodes.DeviceModelName.value == "effad simulator"
        assert nodes.DeviceSerialNumber.value == "SN-1"
        assert acquirer.device.node_map.DeviceID.value == "effad-SN-1"
        assert acquirer.system.node_map.TLID.value == "effad"
        assert acquirer.interface.node_map.InterfaceID.value == "effad-interface"
        assert acquirer.data_streams[0].node_map.StreamID.value == "Stream0"


def test_settings_are_kept_until_the_device_is_opened_again(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    make_scene(CameraScene("A", greys(1), rate_hz=25, trigger=TriggerMode.HARDWARE))
    camera = open_camera("A")
    nodes = camera.nodes
    assert (nodes.TriggerMode.value, nodes.TriggerSource.value) == ("On", "Line0")
    assert (nodes.TriggerSelector.value, nodes.CounterSelector.value) == ("FrameStart", "Counter0")
    assert nodes.CounterEventSource.value == "FrameTrigger"
    assert nodes.AcquisitionFrameRate.value == 25
    nodes.ExposureTime.value, nodes.Gain.value = 1234.5, 6.0
    nodes.AcquisitionFrameRate.value, nodes.TriggerMode.value = 12.5, "Off"
    assert (nodes.ExposureTime.value, nodes.Gain.value) == (1234.5, 6.0)
    assert (nodes.AcquisitionFrameRate.value, nodes.TriggerMode.value) == (12.5, "Off")
    with pytest.raises(genapi.OutOfRangeException):
        nodes.Gain.value = 49.0
    assert 40 <= nodes.DeviceTemperature.value <= 44
    camera.ia.destroy()
    nodes = open_camera("A").nodes
    assert (nodes.ExposureTime.value, nodes.TriggerMode.value) == (100, "On")


def test_exposure_delays_delivery(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    make_scene(CameraScene("A", greys(1), trigger=TriggerMode.SOFTWARE))
    camera = open_camera("A")
    camera.nodes.ExposureTime.value = 30_000.0
    camera.ia.start()
    camera.trigger(2)
    first, _ = camera.take(2)
    assert time.monotonic_ns() - first.timestamp_ns >= 60_000_000  # one after the other


def test_timestamps_are_of_the_monotonic_clock(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    make_scene(CameraScene("A", greys(1)))
    camera = open_camera("A")
    before = time.monotonic_ns()
    camera.nodes.TimestampLatch.execute()
    after = time.monotonic_ns()
    assert before <= camera.nodes.TimestampLatchValue.value <= after
    assert camera.nodes.Timestamp.value >= after
    assert camera.ia.device.timestamp_frequency == 1_000_000_000


def test_region_of_interest(make_scene: MakeScene, open_camera: OpenCamera, greys: Greys) -> None:
    (image,) = greys(1)
    make_scene(CameraScene("A", [image]))
    camera = open_camera("A")
    nodes = camera.nodes
    assert (nodes.SensorWidth.value, nodes.SensorHeight.value) == (32, 24)
    assert (nodes.WidthMax.value, nodes.HeightMax.value) == (32, 24)
    assert (nodes.OffsetX.max, nodes.OffsetY.max) == (0, 0)
    nodes.Width.value, nodes.Height.value = 9, 5
    assert (nodes.OffsetX.max, nodes.OffsetY.max) == (23, 19)
    nodes.OffsetX.value, nodes.OffsetY.value = 20, 7
    assert (nodes.Width.max, nodes.Height.max, nodes.PayloadSize.value) == (12, 17, 45)
    with pytest.raises(genapi.OutOfRangeException):
        nodes.Width.value = 13
    camera.ia.start()
    (frame,) = camera.take()
    assert (frame.width, frame.height, frame.size_filled) == (9, 5, 45)
    np.testing.assert_array_equal(frame.pixels.reshape(5, 9), image[7:12, 20:29])


def test_a_region_of_a_mosaic_keeps_its_phase(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    make_scene(CameraScene("A", greys(1), PixelFormat.BAYER_RG8))
    nodes = open_camera("A").nodes
    assert nodes.PixelFormat.symbolics == ("BayerRG8",)
    nodes.Width.value = 16
    assert nodes.OffsetX.inc == 2
    with pytest.raises(genapi.OutOfRangeException):
        nodes.OffsetX.value = 3


def test_the_format_of_frames_is_locked_while_grabbing(
    make_scene: MakeScene, open_camera: OpenCamera, greys: Greys
) -> None:
    make_scene(CameraScene("A", greys(1)))
    camera = open_camera("A")
    locked = ("Width", "Height", "OffsetX", "OffsetY", "AcquisitionFrameCount")
    values = {name: getattr(camera.nodes, name).value for name in locked}
    camera.ia.start()
    for name, value in values.items():
        with pytest.raises(genapi.AccessException):
            getattr(camera.nodes, name).value = value
    camera.nodes.ExposureTime.value = 200.0
    camera.ia.stop()
    camera.nodes.Width.value = 16
    assert camera.nodes.Width.value == 16
