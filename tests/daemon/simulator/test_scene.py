"""The scene file from Python's side: what is refused, what is written, and the log's ring."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.simulator import layout
from daemon.simulator.build import SOURCES
from daemon.simulator.pixels import SENT, encode
from daemon.simulator.scene import CameraScene, Fate, Fault, PixelFormat, Scene, TriggerMode

if TYPE_CHECKING:
    from tests.daemon.simulator.conftest import Camera, MakeScene

GREY = np.zeros((4, 6), np.uint8)


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        ([], "0 cameras: a scene has 1 to 64"),
        ([CameraScene("A", [GREY])] * 2, "serials are not unique: A, A"),
        ([CameraScene("", [GREY])], "serial '' is not 1 to 63 characters of printable ASCII"),
        ([CameraScene("x" * 64, [GREY])], "is not 1 to 63 characters"),
        ([CameraScene("Zürich", [GREY])], "is not 1 to 63 characters of printable ASCII"),
        ([CameraScene("A", [])], "camera A has no images"),
        ([CameraScene("A", [GREY, GREY[:2]])], r"camera A: images differ in size: \[\(2, 6\), "),
        ([CameraScene("A", [GREY[:1]])], "sides have 2 to 65536 pixels"),
        ([CameraScene("A", [GREY[0]])], "sides have 2 to 65536 pixels"),
        ([CameraScene("A", [GREY], rate_hz=-1)], "camera A: rate_hz is -1, not in"),
        ([CameraScene("A", [GREY], rate_hz=float("nan"))], "rate_hz is nan"),
        ([CameraScene("A", [GREY], clock_offset_ns=-1)], "camera A: clock_offset_ns is not in"),
        ([CameraScene("A", [GREY], clock_ppm=2e4)], "camera A: clock_ppm is 20000.0, not in"),
        ([CameraScene("A", [GREY], encoder_hz=float("nan"))], "camera A: encoder_hz is nan"),
        ([CameraScene("A", [GREY.astype(np.float32)])], "camera A: an image of float32"),
        ([CameraScene("A", [GREY.astype(np.uint16)])], "camera A: an image of uint16"),
        ([CameraScene("A", [np.zeros((4, 6, 4), np.uint8)])], "camera A: an image of uint8"),
        (
            [CameraScene("A", [np.full((4, 6), 4096, np.uint16)], PixelFormat.MONO12)],
            "camera A: a Mono12 image has values up to 4096, 4095 is the most",
        ),
    ],
)
def test_what_no_camera_could_see_is_refused(
    cameras: list[CameraScene], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Scene.create(tmp_path / "scene", cameras)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_amounts_and_serials_are_checked(make_scene: MakeScene) -> None:
    scene = make_scene(CameraScene("A", [GREY]))
    with pytest.raises(ValueError, match="amount is 0, 1 is the least"):
        scene.fault("A", Fault.DROP, 0)
    with pytest.raises(ValueError, match="n is -1, 1 is the least"):
        scene.pulse("A", -1)
    with pytest.raises(KeyError):
        scene.pulse("B")
    with pytest.raises(KeyError):
        scene.log("B")
    with pytest.raises(ValueError, match="log_capacity is 63, 64 is the least"):
        make_scene(CameraScene("A", [GREY]), log_capacity=63)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 10_000, b"EFFADSCN" + bytes(8000)])
def test_other_files_are_no_scenes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=r"scene .*file cannot be used: "):
        Scene.open(tmp_path / "file")


def test_a_truncated_file_is_no_scene(make_scene: MakeScene, tmp_path: Path) -> None:
    whole = make_scene(CameraScene("A", [GREY]), log_capacity=64).path.read_bytes()
    (tmp_path / "part").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="part cannot be used: truncated"):
        Scene.open(tmp_path / "part")


def test_a_scene_names_itself_in_the_environment(make_scene: MakeScene) -> None:
    scene = make_scene(CameraScene("A", [GREY]), CameraScene("B", [GREY]))
    with Scene.open(Path(scene.environ()["EFFAD_SCENE"])) as again:
        assert again.serials == ("A", "B")
        assert again.log("A") == []


def test_a_new_scene_takes_the_place_of_an_open_one(tmp_path: Path) -> None:
    with (
        Scene.create(tmp_path / "scene", [CameraScene("old", [GREY])]) as old,
        Scene.create(tmp_path / "scene", [CameraScene("new", [GREY])]) as new,
    ):
        old.pulse("old")
        assert (old.serials, new.serials) == (("old",), ("new",))
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def test_the_file_is_sparse(make_scene: MakeScene) -> None:
    status = make_scene(CameraScene("A", [GREY])).path.stat()
    assert status.st_size > 48 << 20
    assert status.st_blocks * 512 < 1 << 20


def test_requests_from_many_threads_and_views_all_count(make_scene: MakeScene) -> None:
    scene = make_scene(CameraScene("A", [GREY]))
    with Scene.open(scene.path) as other:

        def ask(view: Scene) -> None:
            for _ in range(200):
                view.pulse("A")
                view.fault("A", Fault.SHORT)

        threads = [threading.Thread(target=ask, args=(view,)) for view in (scene, other) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    page = scene.path.read_bytes()[layout.PAGE + layout.CONTROL_AT :]
    control = np.frombuffer(page, layout.CONTROL, count=1)[0]
    assert control["pulses"] == 800
    assert control["faults"].tolist() == [0, 0, 800, 0]


def test_the_log_keeps_the_newest(
    make_scene: MakeScene, open_camera: Callable[[str], Camera]
) -> None:
    scene = make_scene(CameraScene("A", [GREY], trigger=TriggerMode.HARDWARE), log_capacity=64)
    scene.pulse("A", 150)
    camera = open_camera("A")
    assert camera.nodes.CounterValue.value == scene.triggers("A") == 150
    assert [record.trigger for record in scene.log("A")] == list(range(87, 151))
    assert [record.trigger for record in scene.log("A", after=148)] == [149, 150]
    assert scene.log("A", after=150) == []


def test_python_and_c_name_the_same_numbers() -> None:
    header = (SOURCES / "scene.h").read_text()

    def names(enum: str) -> list[str]:
        found = re.search(rf"enum {enum} {{(.*?)}}", header)
        assert found
        return [name.strip() for name in found[1].split(",")]

    assert names("fate") == [fate.name for fate in Fate]
    assert names("trigger_mode") == [mode.name for mode in TriggerMode]
    assert names("fault") == [
        "FAULT_DROP",
        "FAULT_INCOMPLETE",
        "FAULT_SHORT",
        "FAULT_RESIZE",
        "FAULT_COUNT",
    ]
    sizes = dict(re.findall(r"sizeof\(struct (\w+)\) == (\d+)", header))
    dtypes = {
        "scene_config": layout.CONFIG,
        "scene_control": layout.CONTROL,
        "scene_state": layout.STATE,
        "trigger_record": layout.RECORD,
        "edge_record": layout.EDGE,
    }
    assert sizes == {name: str(dtype.itemsize) for name, dtype in dtypes.items()}


@given(st.integers(0, 255), st.sampled_from(SENT))
def test_grey_stays_grey_in_every_format(level: int, pixel_format: PixelFormat) -> None:
    grey = np.full((2, 2), level, np.uint8)
    raw: NDArray[Any] = encode(grey, pixel_format)
    assert raw.nbytes == 4 * pixel_format.bytes_per_pixel
    top = 4095 if pixel_format is PixelFormat.MONO12 else 255
    assert np.all(raw == int(level * top / 255 + 0.5))
    np.testing.assert_array_equal(encode(np.stack([grey] * 3, axis=2), pixel_format), raw)
