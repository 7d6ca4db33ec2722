"""What a run leaves is there for the next, though runs between them do nothing about it."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from daemon.camera.wanted import Before
from daemon.continuity import Continuity
from daemon.journal.files import NAME
from daemon.ledger import FILE, left_behind
from daemon.messages import Part
from daemon.settings.journal import JournalSettings

STATIONS = {"nut": ("a", "b")}


@contextmanager
def run(folder: Path) -> Iterator[Continuity]:
    """A run of the daemon; without ``ended`` it was killed."""
    state = Continuity(
        folder,
        JournalSettings(),
        STATIONS,
        open_limit=8,
        epoch=time.time_ns(),
        code="0",
        on_set_aside=lambda aside, why: None,
    )
    with closing(state):
        yield state


def killed_at_work(folder: Path) -> int:
    """Leave two open parts, and camera b in the middle of opening; give its last sign of life."""
    with run(folder) as state:
        state.claims.started("nut", "a", 10, 3)
        for number, trigger in ((1, 11), (2, 12)):
            state.claims.opened("nut", number, trigger, Part(id=f"P{number}"), trigger)
        state.claims.alive()
    left = left_behind(folder / FILE)
    assert left is not None
    return left.alive_ns


@pytest.mark.parametrize("between", [0, 1, 2])
def test_a_killed_run_is_known_over_runs_that_ended_before_they_heard_a_camera(
    tmp_path: Path, between: int
) -> None:
    alive_ns = killed_at_work(tmp_path)
    for _ in range(between):
        with run(tmp_path):
            pass
    with run(tmp_path) as state:
        assert not state.orderly
        assert [part.part.id for part in state.left["nut"].open] == ["P1", "P2"]
        assert state.before("nut", "a") == Before(last=12, shift=3, alive_ns=alive_ns)
        assert state.before("nut", "b") is None
        assert state.unheard == [("nut", "b")]
        assert state.alive_ns == alive_ns


def test_an_orderly_end_leaves_nothing(tmp_path: Path) -> None:
    killed_at_work(tmp_path)
    with run(tmp_path) as state:
        state.claims.committed("nut", 2)
        state.ended()
        ended_ns = time.time_ns()
    with run(tmp_path) as state:
        assert state.orderly
        assert state.before("nut", "a") is None
        assert state.unheard == []
        assert abs(state.alive_ns - ended_ns) < 10**9
        alive_ns = state.alive_ns
    with run(tmp_path) as state:  # the one between heard nobody
        assert not state.orderly
        assert state.left["nut"].open == ()
        assert state.unheard == [("nut", "a"), ("nut", "b")]
        assert state.alive_ns == alive_ns, "nothing counted since that orderly end"


def test_open_claims_outlive_a_journal_that_was_damaged(tmp_path: Path) -> None:
    killed_at_work(tmp_path)
    (tmp_path / NAME).write_bytes(b"x" * 9000)
    with run(tmp_path) as state:
        assert state.journal.set_aside is not None
        assert not state.orderly
        assert [part.number for part in state.left["nut"].open] == [1, 2]


def test_without_claims_nobody_knows_what_the_cameras_counted(tmp_path: Path) -> None:
    killed_at_work(tmp_path)
    (tmp_path / FILE).unlink()
    with run(tmp_path) as state:
        assert state.unheard == [("nut", "a"), ("nut", "b")]
        assert 0 < state.alive_ns <= time.time_ns()


def test_the_first_run_knows_of_nothing(tmp_path: Path) -> None:
    with run(tmp_path) as state:
        assert (state.first, state.orderly, state.unheard) == (True, True, [])
    left = left_behind(tmp_path / FILE)
    assert left is not None
    assert abs(left.alive_ns - time.time_ns()) < 60 * 10**9, "what came before is not its concern"
