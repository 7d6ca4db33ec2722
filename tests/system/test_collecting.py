"""Frames for a calibration from a line that goes on inspecting, and what is done with them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.main import main as calibrate
from calibration.shown import Shown
from calibration.sources import daemon as source
from calibration.sources.camera import CameraSource
from calibration.sources.daemon import Daemon, DaemonSource
from daemon import settings
from daemon.journal.command import main as read_journal
from daemon.messages import AlarmCode, Kind
from daemon.simulator.pixels import encode
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models.errors import InputError
from models.images import read_rgb
from tests.system.line import EXPECTED, Line, assert_accounted, station

Images = list[NDArray[np.uint8]]
Patient = Callable[..., Path]
BAYER = PixelFormat.BAYER_RG8


def test_frames_are_those_inspected_and_no_trigger_is_lost(
    patient: Patient,
    passing: NDArray[np.uint8],
    failing: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "_KEEP_S", 0.0)  # each frame takes long to look at
    images = [np.roll(passing, shift, 1) for shift in range(3)] + [failing]
    camera = CameraScene("A1", images, BAYER, trigger=TriggerMode.SOFTWARE)
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, station(patient(), 'trigger = "software"'), scene) as line,
    ):
        line.running()
        daemon = Daemon(line.endpoint("control"))
        everything = list(DaemonSource(daemon, 5, "all", trigger=True))
        assert line.ask(command="GetState").collecting == ()
        good = list(DaemonSource(daemon, 4, "good", trigger=True))
        early = iter(DaemonSource(daemon, 1000, "all", trigger=True))
        next(early)
        assert line.ask(command="GetState").collecting == ("nut",)
        early.close()  # type: ignore[attr-defined]
        assert line.ask(command="GetState").collecting == ()
        assert line.stop() == 0
        log = scene.log("A1")
    assert_accounted(log, line.verdicts, EXPECTED)
    image_of = {record.trigger: record.image for record in log}
    by_seq = {str(verdict.seq): verdict for verdict in line.verdicts}
    for shown in (*everything, *good):
        trigger = by_seq[shown.part].views[0].trigger
        assert trigger is not None
        np.testing.assert_array_equal(shown.pixels, encode(images[image_of[trigger]], BAYER))
        assert shown.pixel_format is BAYER
    assert [shown.part for shown in everything] == ["1", "2", "3", "4", "5"]
    assert [shown.part for shown in good] == ["6", "7", "9", "10"], "8 has a defect"
    assert {by_seq[shown.part].verdict for shown in everything} == {Kind.PASS, Kind.FAIL}
    assert {by_seq[shown.part].verdict for shown in good} == {Kind.PASS}
    codes = [alarm.code for alarm in line.alarms]
    assert codes.count(AlarmCode.CALIBRATION) == codes.count(AlarmCode.CALIBRATION_OFF) == 3


def test_an_engineer_at_a_running_line(
    patient: Patient,
    passing: NDArray[np.uint8],
    failing: NDArray[np.uint8],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Repeat, challenge and aim at the daemon; then the camera itself, once it has stopped."""
    images = [passing] * 10 + [failing] * 2 + [passing] * 2
    camera = CameraScene("A1", images, PixelFormat.RGB8, trigger=TriggerMode.SOFTWARE)
    recipe = str(patient())
    config = station(Path(recipe), 'trigger = "software"')
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, config, scene) as line,
        pytest.MonkeyPatch.context() as patch,
    ):
        line.running()
        at = ["--daemon", line.endpoint("control")]

        def effad(*arguments: str) -> tuple[int, str]:
            status = calibrate([arguments[0], recipe, *at, *arguments[1:]])
            return status, capsys.readouterr().out

        status, told = effad("repeat", "--trigger", "--triggers", "10", "--json")
        study = json.loads(told)
        assert (status, study["triggers"], study["repeatable"]) == (0, 10, True)
        status, told = effad("challenge", "--trigger", "--names", "dent", "scratch")
        assert status == 0
        assert "all 2 known rejects are FAIL" in told
        status, told = effad("challenge", "--trigger", "--parts", "1", "--operator", "Ada")
        assert status == 1
        assert "1 of 1 known rejects are NOT FAIL" in told
        status, told = effad("aim", "--frames", "1", "--save", str(tmp_path / "seen"))
        assert status == 0
        assert "brightness" in told
        picture = read_rgb(tmp_path / "seen" / "aim-cam1.png")
        assert picture.shape[1] == 960

        path = tmp_path / "effad.toml"
        with pytest.raises(InputError, match=r"effad runs .* and has the cameras"):
            CameraSource(settings.read(path), 2)
        assert line.stop() == 0
        for name, value in scene.environ().items():
            patch.setenv(name, value)
        frames: list[Shown] = list(CameraSource(settings.read(path), 2))
    assert [v.score for v in line.verdicts[:10]] == [study["score"]["mean"]] * 10
    assert [v.part.id for v in line.verdicts[10:]] == ["dent", "scratch", "reject 1"]
    assert [shown.part for shown in frames] == ["1", "2"]
    np.testing.assert_array_equal(frames[0].pixels, passing)
    (alarm,) = [a for a in line.alarms if a.code is AlarmCode.CHALLENGE]
    assert "1 of 1 known rejects are not FAIL: reject 1 (PASS)" in alarm.text
    assert read_journal(["report", "--journal", str(tmp_path / "state")]) == 0
    report = capsys.readouterr().out
    assert "all 2 are FAIL" in report
    assert "Ada  1 of 1 are NOT FAIL  reject 1: PASS, score" in report
