"""Every trigger ends once, in order, and whoever comes first wins."""

import threading
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from daemon.channel import Crew
from daemon.claims import Inspected, Seen, Settled, StationPlan, Unseen
from daemon.ledger import Ledger
from daemon.messages import Kind, Part, Reason, TriggerSource
from models.calibration import AnomalyMap
from models.errors import InputError
from models.geometry import Placement

LIMIT = 20.0
GONE = Unseen(Reason.FRAME_LOST, "skipped")
RESULT = Inspected(AnomalyMap(torch.zeros(1, 1), Placement((0, 0), (4, 4), (1, 1))), 1)


def ledger_of(
    *cameras: str, source: TriggerSource = TriggerSource.HARDWARE, deadline_s: float = 60
) -> Ledger:
    return Ledger({"nut": StationPlan(cameras or ("c",), source, deadline_s)}, open_limit=10)


def seen(trigger: int) -> Seen:
    return Seen(trigger, trigger, None, time.monotonic_ns(), time.monotonic_ns())


def all_of(ledger: Ledger) -> list[Settled]:
    ledger.close(Reason.SHUTDOWN, "the end")
    return list(ledger.settled())


def reason(part: Settled) -> Reason | None:
    outcomes = [view.outcome for view in part.views]
    return next((o.reason for o in outcomes if isinstance(o, Unseen)), None)


def test_results_leave_in_trigger_order() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    claims = [ledger.frame("nut", "c", seen(n)) for n in (1, 2, 3)]
    for claim in reversed(claims):
        assert claim is not None
        assert ledger.resolve(claim, RESULT)
    assert [part.number for part in all_of(ledger)] == [1, 2, 3]


def test_who_comes_second_is_discarded() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    claim = ledger.frame("nut", "c", seen(1))
    assert claim is not None
    ledger.missed("nut", "c", range(1, 2), GONE, None)
    assert not ledger.resolve(claim, RESULT)
    assert [reason(part) for part in all_of(ledger)] == [Reason.FRAME_LOST]


def test_a_frame_of_a_trigger_that_has_its_verdict_claims_nothing() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    ledger.missed("nut", "c", range(1, 2), GONE, None)
    assert ledger.frame("nut", "c", seen(1)) is None


def test_the_timer_tells_late_from_lost() -> None:
    ledger = ledger_of(deadline_s=0.05)
    ledger.started("nut", "c", 0)
    crew = Crew(lambda: None)
    crew.start("timer", ledger.run_timer)
    claim = ledger.frame("nut", "c", seen(1))
    ledger.counted("nut", "c", 2)
    parts = ledger.settled()
    assert [reason(next(parts)), reason(next(parts))] == [Reason.LATE, Reason.FRAME_LOST]
    assert claim is not None
    assert not ledger.resolve(claim, RESULT)
    assert all_of(ledger) == []
    assert crew.join(LIMIT) == []


def test_the_timer_needs_no_other_stage() -> None:
    """Nobody takes settled parts, no result comes, and the deadline is kept all the same."""
    ledger = ledger_of(deadline_s=0.2)
    ledger.started("nut", "c", 0)
    crew = Crew(lambda: None)
    crew.start("timer", ledger.run_timer)
    begun = time.monotonic()
    ledger.frame("nut", "c", seen(1))
    done = threading.Event()

    def look() -> None:
        next(ledger.settled())
        done.set()

    crew.start("look", look)
    assert done.wait(LIMIT)
    assert time.monotonic() - begun >= 0.2
    ledger.close(Reason.SHUTDOWN, "")
    assert crew.join(LIMIT) == []


def test_a_counter_opens_what_the_camera_going_away_resolves() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 100)
    ledger.frame("nut", "c", seen(101))
    ledger.counted("nut", "c", 103)
    ledger.camera_away("nut", "c", "unplugged")
    parts = all_of(ledger)
    assert [reason(p) for p in parts] == [Reason.SHUTDOWN, Reason.CAMERA_DOWN, Reason.CAMERA_DOWN]
    assert [p.views[0].trigger for p in parts] == [101, 102, 103]


def test_a_wild_counter_opens_no_more_than_the_limit() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    ledger.counted("nut", "c", 1_000_000)
    assert ledger.counts()["nut"].open == 10


def test_a_part_waits_for_all_its_views() -> None:
    ledger = ledger_of("a", "b")
    ledger.started("nut", "a", 0)
    ledger.started("nut", "b", 50)
    first = ledger.frame("nut", "a", seen(1))
    assert first is not None
    ledger.resolve(first, RESULT)
    second = ledger.frame("nut", "b", seen(51))
    assert second is not None
    assert second.number == 1
    ledger.resolve(second, RESULT)
    (part,) = all_of(ledger)
    assert [(v.camera, v.trigger) for v in part.views] == [("a", 1), ("b", 51)]


def test_software_triggers_keep_their_part_though_one_is_refused() -> None:
    ledger = ledger_of(source=TriggerSource.SOFTWARE)
    ledger.started("nut", "c", 7)
    assert [ledger.announce("nut", Part(id=i)) for i in "xyz"] == [1, 2, 3]
    ledger.triggered("nut", "c", 1, 8, "")
    ledger.triggered("nut", "c", 2, None, "busy")
    ledger.triggered("nut", "c", 3, 9, "")
    claim = ledger.frame("nut", "c", seen(9))
    assert claim is not None
    assert claim.number == 3
    ledger.resolve(claim, RESULT)
    parts = all_of(ledger)
    assert [(p.part.id, reason(p)) for p in parts] == [
        ("x", Reason.SHUTDOWN),
        ("y", Reason.CAMERA_DOWN),
        ("z", None),
    ]


def test_too_many_open_parts_are_refused() -> None:
    ledger = ledger_of(source=TriggerSource.SOFTWARE)
    for _ in range(10):
        ledger.announce("nut", Part())
    with pytest.raises(InputError, match=r"ledger\.open_limit is 10"):
        ledger.announce("nut", Part())


def test_after_the_end_nothing_is_announced() -> None:
    ledger = ledger_of(source=TriggerSource.SOFTWARE)
    ledger.close(Reason.SHUTDOWN, "")
    with pytest.raises(InputError, match="no job"):
        ledger.announce("nut", Part())


def test_a_verdict_that_never_left_is_named() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    ledger.missed("nut", "c", range(1, 4), GONE, None)
    parts = all_of(ledger)
    assert ledger.published("nut", parts[0].number, Kind.NO_VERDICT) == []
    assert ledger.published("nut", parts[2].number, Kind.NO_VERDICT) == [2]


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["frame", "missed", "counted", "resolve", "away"]), st.integers(0, 4)
    ),
    max_size=60,
)


@given(STEPS)
def test_the_account_always_adds_up(steps: list[Step]) -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    last, claims = 0, []
    for step, size in steps:
        if step == "frame":
            last += 1
            claims.append(ledger.frame("nut", "c", seen(last)))
        elif step == "missed":
            ledger.missed("nut", "c", range(last + 1, last + 1 + size), GONE, None)
            last += size
        elif step == "counted":
            ledger.counted("nut", "c", last + size)
        elif step == "resolve" and claims:
            claim = claims.pop(size % len(claims))
            if claim is not None:
                ledger.resolve(claim, RESULT)
        elif step == "away":
            ledger.camera_away("nut", "c", "gone")
            ledger.started("nut", "c", last)
        counts = ledger.counts()["nut"]
        assert counts.triggers == counts.open, "nothing was published yet"
    known = ledger.counts()["nut"].triggers
    parts = all_of(ledger)
    assert [part.number for part in parts] == list(range(1, known + 1))
    for part in parts:
        assert ledger.published("nut", part.number, Kind.NO_VERDICT) == []
    counts = ledger.counts()["nut"]
    assert (counts.no_verdict, counts.open) == (known, 0)


def test_the_deadline_runs_from_the_frame_not_from_when_it_was_heard_of() -> None:
    ledger = ledger_of(deadline_s=60)
    ledger.started("nut", "c", 0)
    crew = Crew(lambda: None)
    crew.start("timer", ledger.run_timer)
    minute_ago = time.monotonic_ns() - 60_000_000_000
    ledger.frame("nut", "c", Seen(1, 1, None, minute_ago, minute_ago))
    late = next(ledger.settled())
    assert reason(late) is Reason.LATE
    assert abs(time.time_ns() - 60_000_000_000 - late.triggered_ns) < LIMIT * 1e9
    assert all_of(ledger) == []
    assert crew.join(LIMIT) == []
