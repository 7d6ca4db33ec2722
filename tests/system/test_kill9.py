"""Killed at the worst moments, effad says of every part one thing, once, and forgets none."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from daemon.ledger import FILE, left_behind
from daemon.simulator.scene import Fault, TriggerMode
from tests.audit.audited import LIMIT, SERIAL, Audited, Setting, made_recipe
from tests.bench.kill9 import FAILPOINTS, Follower, audited, followed, own, run


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_recipe(tmp_path_factory.mktemp("kill9"), 2000)


@pytest.mark.timeout(600)
def test_kill_9_loses_and_doubles_nothing(recipe: Path, tmp_path: Path) -> None:
    """Some deaths; tests/bench/kill9.py makes hundreds."""
    found = run(tmp_path, recipe, FAILPOINTS, kills=4, seed=3)
    assert found["shown"] == []
    assert found["mismatches"] == 0
    assert found["epochs"] == len(FAILPOINTS) + 4 + 1
    assert found["by_word"]["restart"] > 0  # there was something open
    assert found["replayed"] > 0  # what was committed and not sent


def test_what_was_open_is_told_though_runs_end_before_they_have_heard_the_camera(
    recipe: Path, tmp_path: Path
) -> None:
    """Killed twice more, then stopped in order, each time before the camera acquires."""
    line = Audited(tmp_path, Setting(recipe, trigger=TriggerMode.HARDWARE, capacity=1 << 10))
    with line.scene:
        follower = followed(line)
        try:
            end_early(line, follower)
        finally:
            line.end()
            follower.end()
        found = audited(line, follower)
    assert found["shown"] == []
    assert found["by_word"]["restart"] == 4 + 3
    assert found["verdicts"] == found["triggers"] == 13


def end_early(line: Audited, follower: Follower) -> None:
    line.start()
    line.until_running()
    line.pulse(3)
    follower.until(3, line)
    line.scene.fault(SERIAL, Fault.STALL, 60_000)  # the counter is all that tells
    line.pulse(4)
    line.until_true(lambda: len(opened(line)) == 4, "4 open parts")
    line.daemon.kill()
    line.scene.fault(SERIAL, Fault.STALL, 1)  # and that is over
    for point, status in (
        ("at_begin", -signal.SIGKILL),
        ("at_open", -signal.SIGKILL),
        ("stopped_at_open", 0),
    ):
        line.start("tests.audit.launch", "--plant", point)
        line.pulse(1)
        assert line.daemon.wait(LIMIT) == status, line.words()
    line.start()
    line.until_running()
    line.pulse(3)
    follower.until(3, line)
    line.daemon.send_signal(signal.SIGTERM)
    assert line.daemon.wait(LIMIT) == 0, line.words()


def opened(line: Audited) -> Sequence[object]:
    """Give the parts that the daemon would leave behind."""
    left = left_behind(line.folder / "state" / FILE)
    return left.stations["nut"].open if left else ()


def test_a_run_has_not_spoken_when_the_one_before_is_heard_late() -> None:
    """Else it would be killed, or stopped for good, before it has heard its camera."""
    late = [{"epoch": 5, "reason": None}] * 30
    restart = [{"epoch": 9, "reason": "restart"}] * 3
    assert own(late, started_ns=8) == 0
    assert own([*late, *restart], started_ns=8) == 0
    assert own([*late, *restart, *[{"epoch": 9, "reason": None}] * 2], started_ns=8) == 2
