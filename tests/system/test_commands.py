"""What can be asked of a running line, on real sockets."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.client import Follower, Requester
from daemon.messages import AlarmCode, Kind, Reason, State, Verdict
from daemon.requests import Snapshot
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from tests.system.line import LIMIT, Line, station

Patient = Callable[..., Path]
Images = list[NDArray[np.uint8]]


def test_a_shift_with_a_plc_and_an_operator(
    patient: Patient, shown: Images, tmp_path: Path
) -> None:
    """Parts announced, a bypass, an operator's word, a snapshot, a pause between two jobs."""
    camera = CameraScene("A1", shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE)
    settings = station(patient(), 'trigger = "hardware"') + "\n[ledger]\nannounced_s = 3\n"
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()

        def have(count: int) -> None:
            line.until(lambda: len(line.verdicts) >= count, f"{count} verdicts")

        announced = line.ask(command="AnnouncePart", part={"id": "A-1", "lot": "L7"})
        scene.pulse("A1")
        have(1)
        lost = line.ask(command="AnnouncePart", part={"id": "A-2"})
        have(2)  # its trigger never came
        scene.pulse("A1")
        have(3)
        snapshot_is_the_last_frame(line, line.verdicts[2])

        assert line.ask(command="Bypass", on=True, note="gripper").bypassed == ("nut",)
        scene.pulse("A1")
        have(4)
        assert line.ask(command="GetState").bypassed == ("nut",)
        assert line.ask(command="Bypass", on=False).bypassed == ()
        word = line.ask(
            command="Override", seq=1, verdict="FAIL", operator="Ada", note="scratch at the rim"
        )
        nobody = line.ask(command="Override", seq=99, verdict="PASS", operator="Ada")
        statistics = line.ask(command="GetStatistics").statistics

        assert line.ask(command="StopJob").ok
        line.until(lambda: State.READY in line.states, "the job's end")
        scene.pulse("A1", 3)  # nobody inspects now
        assert line.ask(command="StartJob").ok
        again = line.ask(command="StartJob")
        line.states.clear()
        line.until(lambda: State.CONTINUOUS_EXECUTION in line.states, "the second job")
        scene.pulse("A1")
        have(5)
        with Follower(line.endpoint("results"), line.endpoint("control"), "nut") as follower:
            replayed = [follower.receive(LIMIT) for _ in range(5)]
        assert line.stop() == 0

    assert (announced.number, lost.number) == (1, 2)
    assert [v.part.id for v in line.verdicts[:2]] == ["A-1", "A-2"]
    assert [v.seq for v in line.verdicts] == [1, 2, 3, 4, 5]
    assert line.verdicts[1].reason is Reason.FRAME_LOST
    bypassed = line.verdicts[3]
    assert (bypassed.verdict, bypassed.bypassed, bypassed.score) == (Kind.PASS, True, None)
    codes = [alarm.code for alarm in line.alarms]
    assert codes.count(AlarmCode.BYPASS_OFF) == 1
    assert AlarmCode.BYPASS in codes
    assert word.ok
    assert not nobody.ok
    assert "no verdict 99" in str(nobody.error)
    assert not again.ok
    assert statistics is not None
    assert statistics["nut"].counts.bypassed == 1
    assert statistics["nut"].reasons == {"frame_lost": 1}
    assert statistics["nut"].stages["infer"].count == 2
    assert [v.seq for v in replayed if isinstance(v, Verdict)] == [1, 2, 3, 4, 5]
    (pause,) = [a for a in line.alarms if a.code is AlarmCode.UNACCOUNTED_INTERVAL]
    assert (pause.since_ns or 0) < (pause.until_ns or 0), "three triggers that nobody counted"
    assert line.verdicts[4].jobId != line.verdicts[0].jobId
    audit_names_who_commanded_what(tmp_path / "state" / "journal.db")


def snapshot_is_the_last_frame(line: Line, last: Verdict) -> None:
    end = time.monotonic() + LIMIT
    with Requester(line.endpoint("control"), LIMIT) as requester:
        while True:  # it is kept after its verdict is published
            reply, (frame, values) = requester.ask_parts(Snapshot())
            if reply.snapshot is not None and reply.snapshot.seq == last.seq:
                break
            assert time.monotonic() < end, reply
    assert reply.snapshot.camera == "cam1"
    pixels = np.frombuffer(frame, reply.snapshot.frame.dtype).reshape(reply.snapshot.frame.shape)
    assert pixels.shape == (128, 128)
    assert pixels.std() > 0
    anomaly = np.frombuffer(values, "<f4").reshape(reply.snapshot.map_shape)
    assert float(anomaly.max()) == last.score == reply.snapshot.score


def audit_names_who_commanded_what(journal: Path) -> None:
    with sqlite3.connect(journal) as connection:
        rows = connection.execute("SELECT command, ok, request FROM audit ORDER BY id").fetchall()
        words = connection.execute("SELECT seq, kind, operator, note FROM override").fetchall()
    connection.close()
    commands = [(command, bool(ok)) for command, ok, _ in rows]
    assert commands == [
        ("AnnouncePart", True),
        ("AnnouncePart", True),
        ("Bypass", True),
        ("Bypass", True),
        ("Override", True),
        ("Override", False),
        ("StopJob", True),
        ("StartJob", True),
        ("StartJob", False),
    ]
    assert json.loads(rows[0][2])["part"]["lot"] == "L7"
    assert words == [(1, "FAIL", "Ada", "scratch at the rim")]


def test_a_station_without_a_recipe_accounts_for_its_triggers(
    shown: Images, tmp_path: Path
) -> None:
    camera = CameraScene("A1", shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE)
    settings = station(Path(), 'trigger = "hardware"').replace('recipe = "."', 'recipe = ""')
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        scene.pulse("A1", 3)
        line.until(lambda: len(line.verdicts) >= 3, "3 verdicts")
        assert line.stop() == 0
    assert [v.reason for v in line.verdicts] == [Reason.NO_RECIPE] * 3
    assert [v.views[0].trigger for v in line.verdicts] == [1, 2, 3]
    assert {v.recipe for v in line.verdicts} == {None}
