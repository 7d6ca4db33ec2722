"""Each bad input is one line that says what to do: exit status 2, and no traceback."""

import ctypes.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from daemon.simulator.build import producer
from daemon.simulator.scene import CameraScene, Scene
from tests.system.line import said, station

Images = list[NDArray[np.uint8]]


@pytest.fixture
def scene(shown: Images, tmp_path: Path) -> Iterator[Scene]:
    cameras = [CameraScene("A1", shown), CameraScene("B2", shown)]
    with Scene.create(tmp_path / "scene", cameras) as scene:
        yield scene


def test_a_missing_producer(tiny_recipe: Path, tmp_path: Path) -> None:
    settings = station(tiny_recipe, producer="/nowhere/vendor.cti")
    assert "/nowhere/vendor.cti: no such file; set 'producer'" in said(settings, tmp_path, None)


@pytest.mark.parametrize("content", ["text", "library"])
def test_a_file_that_is_no_producer(content: str, tiny_recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "vendor.cti"
    if content == "text":
        path.write_text("no library")
    else:
        shutil.copy(libm(), path)
    line = said(station(tiny_recipe, producer=str(path)), tmp_path, None)
    assert f"{path}: no GenTL producer (" in line
    assert "GCInitLib" in line or content == "text"


def libm() -> Path:
    """A library that is loaded without complaint and is no producer."""
    import _ctypes

    name = ctypes.util.find_library("m")
    assert name
    ctypes.CDLL(name)
    maps = Path("/proc/self/maps").read_text().split()
    found = [Path(word) for word in maps if "/libm" in word] or [Path(_ctypes.__file__)]
    return found[0]


def test_no_scene(tiny_recipe: Path, tmp_path: Path) -> None:
    assert "EFFAD_SCENE names, and that is not set" in said(station(tiny_recipe), tmp_path, None)


def test_no_camera(tiny_recipe: Path, tmp_path: Path) -> None:
    settings = station(tiny_recipe, producer=str(producer()))  # without a scene it has none
    assert "no camera found; check power, cable" in said(settings, tmp_path, None)


def test_a_wrong_serial(scene: Scene, tiny_recipe: Path, tmp_path: Path) -> None:
    line = said(station(tiny_recipe, 'serial = "C3"'), tmp_path, scene)
    assert "no camera with serial 'C3'; it has 'A1', 'B2'" in line


def test_a_serial_left_out(scene: Scene, tiny_recipe: Path, tmp_path: Path) -> None:
    assert "2 cameras, so the settings must name" in said(station(tiny_recipe), tmp_path, scene)


def test_a_camera_of_another_size(tiny_recipe: Path, tmp_path: Path) -> None:
    image = np.zeros((96, 160), np.uint8)
    with Scene.create(tmp_path / "scene", [CameraScene("A1", [image])]) as scene:
        line = said(station(tiny_recipe), tmp_path, scene)
    assert "delivers 160 x 96 pixels, but the recipe inspects 128 x 128" in line


def test_a_trigger_that_the_camera_has_not(tmp_path: Path, viky_recipe: Path) -> None:
    import genicam

    viky = next(Path(genicam.__file__).parent.rglob("viky.cti"))
    settings = station(viky_recipe, 'serial = "1"', 'trigger = "hardware"', producer=str(viky))
    assert "has no trigger; set trigger = 'free_run'" in said(settings, tmp_path, None)


@pytest.mark.parametrize("name", ["control", "results", "maps"])
def test_a_port_in_use(name: str, tiny_recipe: Path, tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        others = {"control", "results", "maps"} - {name}
        free = [f"--sockets.{other}=tcp://127.0.0.1:0" for other in sorted(others)]
        taken = f"--sockets.{name}=tcp://127.0.0.1:{port}"
        line = said(station(tiny_recipe), tmp_path, None, *free, taken)
    assert f"sockets.{name}: cannot listen on 'tcp://127.0.0.1:{port}'" in line


def test_a_changed_bundle(own_recipe: Path, tmp_path: Path) -> None:
    weights = own_recipe.with_name("bundle") / "whole.student.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    line = said(station(own_recipe), tmp_path, None)
    assert "whole.student.safetensors: SHA-256" in line
    assert "copy the whole bundle again" in line


def test_an_unknown_setting(tiny_recipe: Path, tmp_path: Path) -> None:
    line = said(station(tiny_recipe, "slot = 4"), tmp_path, None)
    assert "unknown key stations.nut.cameras.#1.slot; is slots meant?" in line


def test_a_setting_out_of_range(tiny_recipe: Path, tmp_path: Path) -> None:
    line = said(station(tiny_recipe, "slots = 1"), tmp_path, None)
    assert "slots = 1: allowed is a whole number from 2 to 256" in line


def test_the_producer_looks_like_one() -> None:
    from daemon.camera.producer import check_producer

    check_producer(producer())
