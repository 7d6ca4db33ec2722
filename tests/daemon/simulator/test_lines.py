"""The simulated camera's digital outputs, its encoder, and a clock of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from genicam import genapi, gentl

from daemon.simulator.build import producer
from daemon.simulator.scene import CameraScene, OutputEdge, Scene, TriggerMode

if TYPE_CHECKING:
    from tests.daemon.simulator.conftest import Camera, MakeScene

    OpenCamera = Callable[[str], Camera]

GREY = np.zeros((4, 6), np.uint8)


def drive(nodes: Any, line: str, output: str) -> None:
    nodes.LineSelector.value = line
    nodes.LineMode.value = "Output"
    nodes.LineSource.value = output
    nodes.UserOutputSelector.value = output


def levels(scene: Scene) -> list[tuple[str, bool]]:
    return [(edge.output, edge.value) for edge in scene.output_log("A")]


def test_an_output_follows_its_source_and_every_edge_is_logged(
    make_scene: MakeScene, open_camera: OpenCamera
) -> None:
    scene = make_scene(CameraScene("A", [GREY]))
    nodes = open_camera("A").nodes
    assert scene.output_log("A") == [], "low at power-up"
    drive(nodes, "Line1", "UserOutput1")
    nodes.UserOutputValue.value = False
    before = time.monotonic_ns()
    nodes.UserOutputValue.value = True
    nodes.UserOutputValue.value = True
    after = time.monotonic_ns()
    (edge,) = scene.output_log("A")
    assert edge == OutputEdge(edge.timestamp_ns, "Line1", value=True)
    assert before <= edge.timestamp_ns <= after
    assert nodes.LineStatus.value
    nodes.UserOutputSelector.value = "UserOutput0"
    nodes.UserOutputValue.value = True
    assert levels(scene) == [("Line1", True)], "that output drives no line"
    nodes.LineInverter.value = True
    assert levels(scene)[1:] == [("Line1", False)]
    nodes.LineMode.value = "Input"
    assert levels(scene)[2:] == [], "not driven: low"


def test_the_trigger_s_line_is_no_output(make_scene: MakeScene, open_camera: OpenCamera) -> None:
    make_scene(CameraScene("A", [GREY]))
    nodes = open_camera("A").nodes
    nodes.LineSelector.value = "Line0"
    with pytest.raises(gentl.InvalidValueException):
        nodes.LineMode.value = "Output"
    assert nodes.LineMode.value == "Input"


HOLDER = """
import sys, logging
from harvesters.core import Harvester
h = Harvester(logger=logging.getLogger("test"))
h.add_file(sys.argv[1])
h.update()
nodes = h.create(0).remote_device.node_map
nodes.LineSelector.value = "Line1"
nodes.LineMode.value = "Output"
nodes.LineSource.value = "UserOutput0"
nodes.UserOutputValue.value = True
print("high", flush=True)
sys.stdin.read()
"""


def test_an_output_outlives_who_set_it_until_the_next_power_up(
    make_scene: MakeScene,
    open_camera: OpenCamera,
    spawn: Callable[..., subprocess.Popen[str]],
) -> None:
    scene = make_scene(CameraScene("A", [GREY]))
    child = spawn(HOLDER, str(producer()))
    assert child.stdout is not None
    assert child.stdout.readline() == "high\n"
    child.kill()
    child.wait()
    assert levels(scene) == [("Line1", True)]
    open_camera("A")
    assert levels(scene) == [("Line1", True), ("Line1", False)]


def test_the_output_log_keeps_the_newest(make_scene: MakeScene, open_camera: OpenCamera) -> None:
    scene = make_scene(CameraScene("A", [GREY]), log_capacity=64)
    nodes = open_camera("A").nodes
    drive(nodes, "Line2", "UserOutput0")
    for _ in range(100):
        nodes.UserOutputValue.value = True
        nodes.UserOutputValue.value = False
    log = scene.output_log("A")
    assert [edge.value for edge in log] == [True, False] * 64
    times = [edge.timestamp_ns for edge in log]
    assert times == sorted(times)


def test_the_encoder_runs_as_the_belt_does_and_wraps(
    make_scene: MakeScene, open_camera: OpenCamera
) -> None:
    scene = make_scene(CameraScene("A", [GREY], encoder_hz=1e6))
    nodes = open_camera("A").nodes
    before = scene.encoder("A")
    assert before <= nodes.EncoderValue.value <= scene.encoder("A")
    scene.run_encoder("A", 0)
    stopped = scene.encoder("A")
    assert nodes.EncoderValue.value == stopped == scene.encoder("A")
    scene.run_encoder("A", 0, count=-2.5)
    assert nodes.EncoderValue.value == scene.encoder("A") == 2**32 - 3
    scene.run_encoder("A", 0, count=2**32 + 7)
    assert nodes.EncoderValue.value == scene.encoder("A") == 7


def test_a_device_has_a_clock_of_its_own(make_scene: MakeScene, open_camera: OpenCamera) -> None:
    offset, ppm = 10**15, 150.0
    scene = make_scene(
        CameraScene(
            "A", [GREY], trigger=TriggerMode.SOFTWARE, clock_offset_ns=offset, clock_ppm=ppm
        )
    )
    camera = open_camera("A")
    before = time.monotonic_ns()
    camera.nodes.TimestampLatch.execute()
    after = time.monotonic_ns()

    def device(host_ns: int) -> int:
        return host_ns + offset + int(host_ns * ppm * 1e-6)

    assert device(before) <= camera.nodes.TimestampLatchValue.value <= device(after)
    camera.ia.start()
    camera.trigger()
    (frame,) = camera.take()
    (record,) = scene.log("A")
    assert abs(frame.timestamp_ns - device(record.timestamp_ns)) <= 1
    assert before < record.timestamp_ns < time.monotonic_ns()


def test_a_device_may_be_without_a_latch(make_scene: MakeScene, open_camera: OpenCamera) -> None:
    make_scene(CameraScene("A", [GREY], latch=False))
    nodes = open_camera("A").nodes
    with pytest.raises(genapi.AccessException):
        nodes.TimestampLatch.execute()
    with pytest.raises(genapi.AccessException):
        _ = nodes.TimestampLatchValue.value
