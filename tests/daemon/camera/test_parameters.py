"""What a recipe sets on a camera is set whole or not at all, and comes back with the camera."""

import json
import threading
from functools import partial

import pytest

from daemon.camera import link
from daemon.camera.parameters import configure
from daemon.channel import Crew
from daemon.simulator.scene import Fault
from models.camera_parameters import FeatureValue
from models.errors import InputError
from tests.daemon.camera.conftest import LIMIT, CameraProcess, MakeScene, StartCamera, plan
from tests.daemon.camera.test_supervisor import supervisor_of


def set_and_hear(camera: CameraProcess, number: int, **features: FeatureValue) -> link.Configured:
    camera.tell(link.Configure(number=number, features=features))
    camera.until(lambda: any(c.number == number for c in camera.all(link.Configured)))
    return camera.all(link.Configured)[-1]


def test_features_are_set_at_start_and_while_it_acquires(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    make_scene()
    camera = start_camera(features={"ExposureTime": 800.0, "Gain": 3.0})
    said = set_and_hear(camera, 1, ExposureTime=1200.0)
    assert (said.error, said.before) == (None, {"ExposureTime": 800.0})
    said = set_and_hear(camera, 2, Gain=4.0)
    assert said.before == {"Gain": 3.0}
    camera.tell(link.Trigger(number=1))
    camera.frames(1)
    camera.stop()


def test_what_one_feature_is_refused_for_is_told_and_the_others_are_set_back(
    make_scene: MakeScene, start_camera: StartCamera
) -> None:
    make_scene()
    camera = start_camera(features={"Gain": 3.0})
    refused = set_and_hear(camera, 1, Gain=5.0, ExposureTime=1e9)
    assert refused.error is not None
    assert "ExposureTime = 1000000000.0: the camera refuses it" in refused.error
    unknown = set_and_hear(camera, 2, Gain=5.0, Sharpness=2.0)
    assert "no such feature" in (unknown.error or "")
    assert set_and_hear(camera, 3, Gain=6.0).before == {"Gain": 3.0}
    camera.stop()


def test_a_start_that_is_refused_is_one_line(make_scene: MakeScene) -> None:
    make_scene()
    camera = CameraProcess(plan(features={"ExposureTime": -1.0}))
    camera.until(lambda: bool(camera.all(link.Refused)))
    camera.close()
    assert "camera cam1: ExposureTime = -1.0" in camera.all(link.Refused)[0].error


def test_a_camera_that_was_away_comes_back_as_it_was_set(
    make_scene: MakeScene, start_camera: StartCamera, capfd: pytest.CaptureFixture[str]
) -> None:
    scene = make_scene()
    camera = start_camera()
    set_and_hear(camera, 1, Gain=7.0)
    scene.fault("A", Fault.LOST, 200)
    camera.until(lambda: len(camera.all(link.Started)) == 2)
    assert set_and_hear(camera, 2, Gain=7.0).before == {"Gain": 7.0}
    camera.stop()


def test_a_supervisor_keeps_what_was_set_for_its_next_process(make_scene: MakeScene) -> None:
    make_scene()
    supervisor = supervisor_of([], None)
    crew = Crew(lambda: None)
    crew.start("camera", partial(supervisor.run, lambda frame: frame.lease.let_go()))
    assert supervisor.started.wait(LIMIT)
    assert "Gain" in supervisor.configure({"Gain": 2.0})
    with pytest.raises(InputError, match=r"station nut, camera cam1: Gain = 100.0"):
        supervisor.configure({"Gain": 100.0})
    assert supervisor.features == {"Gain": 2.0}
    up = threading.Event()
    supervisor.kill()
    while supervisor.deaths == 0 or not supervisor.up:
        up.wait(0.02)
    assert supervisor.configure({"Gain": 3.0}) == {"Gain": 2.0}
    supervisor.stop()
    assert crew.join(LIMIT) == []
    supervisor.close()
    with pytest.raises(InputError, match="its process is not running"):
        supervisor.configure({"Gain": 4.0})


def test_what_automatics_would_undo_is_switched_off_first() -> None:
    written: list[tuple[str, object]] = []

    class Automatic:
        """A camera with automatics, as the simulator has none."""

        def node(self, name: str) -> object:
            return {"ExposureAuto": "Continuous", "ExposureTime": 5.0}.get(name)

        def write(self, name: str, value: object) -> None:
            written.append((name, value))

    before = configure(Automatic(), {"ExposureTime": 9.0})  # type: ignore[arg-type]
    assert written == [("ExposureAuto", "Off"), ("ExposureTime", 9.0)]
    assert json.loads(json.dumps(before)) == {"ExposureAuto": "Continuous", "ExposureTime": 5.0}
