"""What the daemon says equals what its bundle says without it, in trigger order."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.inspection.judge import judge
from daemon.messages import AlarmCode, Kind, State, TriggerSource
from daemon.replay import main as replay
from daemon.simulator.pixels import encode
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models import recipe as recipes
from models.calibration import fuse
from models.engine import Engine
from tests.system.line import Line, station

Images = list[NDArray[np.uint8]]
Patient = Callable[..., Path]


def test_scores_and_maps_equal_those_without_the_daemon(
    tiny_recipe: Path, patient: Patient, shown: Images, tmp_path: Path
) -> None:
    loaded = recipes.load(tiny_recipe)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision, threads=1)
    camera = CameraScene(
        serial="A1",
        images=shown,
        pixel_format=PixelFormat.BAYER_RG8,
        rate_hz=3,
        trigger=TriggerMode.FREE_RUN,
        loop=False,
    )
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, station(patient(), "slots = 16"), scene) as line,
    ):
        line.until(lambda: len(line.maps) == len(shown), "a map of each part")
        assert line.stop() == 0
    assert [v.views[0].trigger for v in line.verdicts] == list(range(1, len(shown) + 1))
    for image, verdict in zip(shown, line.verdicts, strict=True):
        frame = np.asarray(encode(image, PixelFormat.BAYER_RG8), np.uint8)
        maps = engine.look(frame, PixelFormat.BAYER_RG8)
        anomaly = fuse(
            maps, loaded.calibration.scales, loaded.calibration.alpha, loaded.bundle.weights
        )
        assert verdict.engine == engine.fingerprint
        assert verdict.score == anomaly.score, "same frame, same fingerprint: bit for bit"
        assert verdict.verdict is judge(anomaly, loaded)[0]
        wanted = anomaly.values.numpy().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(line.maps[verdict.seq], wanted)
        assert verdict.bundle == loaded.bundle.sha256
        assert verdict.calibration == loaded.calibration_sha256


def test_two_workers_keep_the_order_and_the_plc_ids(
    patient: Patient, shown: Images, tmp_path: Path
) -> None:
    camera = CameraScene(
        serial="A1", images=shown, pixel_format=PixelFormat.RGB8, trigger=TriggerMode.SOFTWARE
    )
    settings = station(patient(), 'trigger = "software"') + "\n[engine]\nworkers = 2\n"
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        numbers = [
            line.ask(command="SoftwareTrigger", part={"id": f"P{n}", "lot": "L"}).number
            for n in range(8)
        ]
        line.until(lambda: len(line.verdicts) == 8, "8 verdicts")
        state = line.ask(command="GetState", id="q1")
        refused = line.ask(command="SoftwareTrigger", station="bolt")
        assert line.ask(command="StopJob").ok
        line.until(lambda: State.READY in line.states, "the job's end")
        late = line.ask(command="SoftwareTrigger")
        assert line.stop() == 0
    assert numbers == list(range(1, 9))
    assert [v.seq for v in line.verdicts] == numbers
    assert [v.part.id for v in line.verdicts] == [f"P{n}" for n in range(8)]
    assert [v.views[0].trigger for v in line.verdicts] == numbers
    assert {v.trigger_source for v in line.verdicts} == {TriggerSource.SOFTWARE}
    assert Kind.NO_VERDICT not in {v.verdict for v in line.verdicts}
    assert (state.id, state.state, state.seq) == ("q1", State.CONTINUOUS_EXECUTION, {"nut": 8})
    assert not refused.ok
    assert "bolt" in str(refused.error)
    assert not late.ok
    assert "Ready" in str(late.error)
    (pause,) = [a for a in line.alarms if a.code is AlarmCode.UNACCOUNTED_INTERVAL]
    assert pause.text == "no job was running: nothing counted triggers", "until the stop"


def test_two_cameras_make_one_verdict_of_a_part(
    patient: Patient, shown: Images, tmp_path: Path
) -> None:
    recipe = patient()
    cameras = [
        CameraScene(
            serial=serial,
            images=images,
            pixel_format=PixelFormat.RGB8,
            trigger=TriggerMode.SOFTWARE,
        )
        for serial, images in (("A1", shown[:4]), ("B2", shown[4:8]))
    ]
    second = '[[stations.cameras]]\nname = "cam2"\nproducer = "simulator"\nserial = "B2"'
    software = 'trigger = "software"'
    settings = station(recipe, 'serial = "A1"', software, second, software)
    with (
        Scene.create(tmp_path / "scene", cameras) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        for _ in range(3):
            line.ask(command="SoftwareTrigger")
        line.until(lambda: len(line.verdicts) == 3, "3 verdicts")
        assert line.stop() == 0
    for number, verdict in enumerate(line.verdicts, start=1):
        assert [(v.camera, v.trigger) for v in verdict.views] == [
            ("cam1", number),
            ("cam2", number),
        ]
        assert verdict.score == max(v.score for v in verdict.views if v.score is not None)


@pytest.fixture(scope="session")
def viky() -> Path:
    """The virtual cameras of the genicam package: a producer that nobody here wrote."""
    import genicam

    found = sorted(Path(genicam.__file__).parent.rglob("viky.cti"))
    assert found, "the genicam package ships viky.cti since 1.6"
    return found[0]


def test_a_foreign_camera(viky: Path, viky_recipe: Path, tmp_path: Path) -> None:
    """RGBa8, no timestamps, no counter, no trigger, payload much larger than the image."""
    settings = station(viky_recipe, 'serial = "1"', "slots = 4", producer=str(viky))
    with Line(tmp_path, settings) as line:
        line.until(lambda: len([v for v in line.verdicts if v.score is not None]) >= 3, "3 scores")
        assert line.stop() == 0
    assert [v.seq for v in line.verdicts] == list(range(1, len(line.verdicts) + 1))
    seen = [v.views[0] for v in line.verdicts if v.score is not None]
    assert {view.device_ns for view in seen} == {None}
    assert all(view.frame_id for view in seen)


def test_a_kept_image_gives_the_same_verdict_again(
    patient: Patient, shown: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = patient()
    camera = CameraScene(
        "A1", shown, pixel_format=PixelFormat.BAYER_RG8, trigger=TriggerMode.SOFTWARE
    )
    settings = station(recipe, 'trigger = "software"') + '\n[images]\nkeep = "all"\n'
    settings += "leave_free_mb = 0\n"
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        for _ in range(5):
            line.ask(command="SoftwareTrigger")
        line.until(lambda: len(line.verdicts) == 5, "5 verdicts")
        assert line.stop() == 0
    kept = sorted((tmp_path / "state" / "images").rglob("*.png"))
    assert len(kept) == 5
    assert replay([*map(str, kept), "--recipe", str(recipe), "--verify", "--json"]) == 0
    said = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [found["verdict"] for found in said] == [str(v.verdict) for v in line.verdicts]
    assert [found["score"] for found in said] == [v.score for v in line.verdicts], "bit for bit"
