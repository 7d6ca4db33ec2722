"""The daemon's side of a camera, with a real process and a real ledger."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from daemon.camera.numbering import MOST
from daemon.camera.supervisor import CameraSupervisor
from daemon.camera.wanted import Before, Restarts, Wanted
from daemon.channel import Crew
from daemon.claims import StationPlan
from daemon.frames import Frame
from daemon.ledger import Ledger
from daemon.messages import TriggerSource
from daemon.simulator.scene import TriggerMode
from models.errors import InputError
from tests.daemon.camera.conftest import LIMIT, MakeScene, plan

Until = Callable[[Callable[[], object]], None]
GATE = {
    "line": "Line1",
    "user_output": "UserOutput0",
    "pulse_ms": 5.0,
    "delay_ms": 100.0,
    "encoder_counts": None,
}


@dataclass
class Said:
    code: str
    text: str
    since: int | None
    until: int | None


@dataclass
class Supervised:
    """A supervisor at work; frames are kept until the test lets them go."""

    supervisor: CameraSupervisor
    crew: Crew
    alarms: list[Said]
    frames: list[Frame] = field(default_factory=list)

    def alarms_of(self, code: str) -> list[Said]:
        return [said for said in self.alarms if said.code == code]


Supervise = Callable[..., Supervised]


def supervisor_of(
    alarms: list[Said],
    before: Before | None,
    slots: int = 2,
    restarts: Restarts = Restarts(0.01, 5),  # noqa: B008 (frozen)
    **changes: object,
) -> CameraSupervisor:
    def alarm(
        code: str, camera: str, text: str, since: int | None = None, until: int | None = None
    ) -> None:
        assert camera == "cam1"
        alarms.append(Said(code, text, since, until))

    return CameraSupervisor(
        "nut",
        plan(trigger=TriggerSource.HARDWARE, **changes),
        Wanted(None, None, slots, on_cuda=False),
        restarts,
        Ledger({"nut": StationPlan(("cam1",), TriggerSource.HARDWARE, 60)}, open_limit=1000),
        alarm,
        before,
    )


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    running: list[Supervised] = []

    def start(before: Before | None = None, **changes: Any) -> Supervised:
        alarms: list[Said] = []
        supervisor = supervisor_of(alarms, before, **changes)
        crew = Crew(lambda: None)
        one = Supervised(supervisor, crew, alarms)
        running.append(one)
        crew.start("camera", partial(supervisor.run, one.frames.append))
        assert supervisor.started.wait(LIMIT)
        crew.check()
        return one

    yield start
    for one in running:
        one.supervisor.stop()
        assert one.crew.join(LIMIT) == []
        for frame in one.frames:
            frame.lease.let_go()
        one.supervisor.close()


def test_a_device_that_lost_count_is_an_alarm_with_bounds(
    make_scene: MakeScene, supervise: Supervise
) -> None:
    make_scene(TriggerMode.HARDWARE)
    alive = time.time_ns() - 60 * 10**9
    one = supervise(Before(last=50, shift=0, alive_ns=alive))
    (said,) = one.alarms_of("unaccounted_interval")
    assert said.since == alive
    assert said.until is not None
    assert alive < said.until <= time.time_ns()
    assert one.supervisor.shift == 50, "for the next run"


def test_far_too_many_triggers_are_an_alarm_that_counts_them(
    make_scene: MakeScene, supervise: Supervise
) -> None:
    make_scene(TriggerMode.HARDWARE).pulse("A", MOST + 10)
    one = supervise(Before(last=5, shift=0, alive_ns=7))
    (said,) = one.alarms_of("unaccounted_interval")
    assert (said.since, said.text.split()[0]) == (7, str(MOST + 5))


def test_slots_run_empty_and_come_back(
    make_scene: MakeScene, supervise: Supervise, until: Until
) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    one = supervise(slots=2)
    for number in (1, 2, 3):  # one more than the queue is deep
        assert not one.supervisor.full
        scene.pulse("A")
        until(partial(lambda count: len(one.frames) == count, number))
    assert one.supervisor.full
    assert one.frames[0].pixels.shape == (16, 16)
    one.frames.pop(0).lease.let_go()
    assert not one.supervisor.full


def test_an_output_that_nobody_can_drive_is_an_alarm(
    make_scene: MakeScene, supervise: Supervise, until: Until
) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    one = supervise(output=GATE)
    assert one.supervisor.drives
    scene.pulse("A")
    until(lambda: len(one.frames) == 1)
    one.supervisor.output(1, 1)
    until(lambda: len(scene.output_log("A")) == 2)
    one.supervisor.output(2, 77)
    until(lambda: len(one.alarms_of("output")) == 1)
    one.supervisor.kill()
    until(lambda: any(said.code == "camera_down" for said in one.alarms))
    one.supervisor.stop()
    assert one.crew.join(LIMIT) == []
    one.supervisor.output(3, 3)
    first, second = one.alarms_of("output")
    assert "good part 2 (trigger 77) gets no pulse, and is rejected" in first.text
    assert "its process is not running" in second.text


def test_a_line_that_the_camera_has_not_is_the_user_s_to_correct(
    make_scene: MakeScene, supervise: Supervise
) -> None:
    make_scene(TriggerMode.HARDWARE)
    with pytest.raises(InputError, match="LineSelector cannot be Line9"):
        supervise(output={**GATE, "line": "Line9"})


def test_a_camera_is_accounted_for_once_it_has_stopped(
    make_scene: MakeScene, supervise: Supervise, until: Until
) -> None:
    scene = make_scene(TriggerMode.HARDWARE)
    one = supervise(Before(last=0, shift=0, alive_ns=7))
    scene.pulse("A")
    until(lambda: len(one.frames) == 1)
    assert one.supervisor.unheard_ns is not None, "more may come"
    one.supervisor.stop()
    assert one.crew.join(LIMIT) == []
    assert one.supervisor.unheard_ns is None


def test_a_camera_whose_process_was_not_there_at_the_stop_is_not_accounted_for(
    make_scene: MakeScene, supervise: Supervise, until: Until
) -> None:
    make_scene(TriggerMode.HARDWARE)
    one = supervise(restarts=Restarts(LIMIT, 5))
    before = time.time_ns()
    one.supervisor.kill()
    until(lambda: one.supervisor.deaths == 1)
    after = time.time_ns()
    one.supervisor.stop()  # while it waits to start another
    assert one.crew.join(LIMIT) == []
    assert before < (one.supervisor.unheard_ns or 0) < after


def test_a_camera_that_was_stopped_before_it_acquired_is_where_the_run_before_left_it() -> None:
    before = Before(last=50, shift=0, alive_ns=7)
    supervisor = supervisor_of([], before)
    supervisor.stop()
    supervisor.run(lambda frame: None)
    assert supervisor.unheard_ns == 7
    fresh = supervisor_of([], None)
    fresh.stop()
    fresh.run(lambda frame: None)
    assert fresh.unheard_ns is None, "nothing was known of it"
