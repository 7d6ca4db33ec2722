"""Every trigger ends once, in order, and whoever comes first wins."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from daemon.channel import Crew
from daemon.claims import Claim, Seen, StationPlan
from daemon.frames import Frame, Lease
from daemon.ledger import Ledger, unbalanced
from daemon.messages import Counts, Kind, Part, Reason, TriggerSource
from daemon.parts import Belated, Bypassed, Inspected, Settled, Unseen
from models.calibration import AnomalyMap
from models.errors import InputError
from models.geometry import Placement
from models.pixel_format import PixelFormat

LIMIT = 20.0
GONE = Unseen(Reason.FRAME_LOST, "skipped")
MAP = AnomalyMap(torch.zeros(1, 1), Placement((0, 0), (4, 4), (1, 1)))


def result(given_back: list[str] | None = None) -> Inspected:
    """Give what a worker gives; its frame is a slot of no camera."""
    lease = Lease(lambda: given_back.append("slot") if given_back is not None else None)
    frame = Frame(Claim("nut", 0, "c"), np.zeros((4, 4), np.uint8), PixelFormat.MONO8, lease)
    return Inspected(MAP, frame, 1, 2)


RESULT = result()


def ledger_of(
    *cameras: str, source: TriggerSource = TriggerSource.HARDWARE, deadline_s: float = 60
) -> Ledger:
    return Ledger({"nut": StationPlan(cameras or ("c",), source, deadline_s)}, open_limit=10)


def seen(trigger: int) -> Seen:
    return Seen(trigger, trigger, None, time.monotonic_ns(), time.monotonic_ns())


def all_of(ledger: Ledger) -> list[Settled]:
    ledger.close(Reason.SHUTDOWN, "the end")
    parts = [part for batch in ledger.settled() for part in batch if isinstance(part, Settled)]
    return [part for part in parts if not part.partial]


def next_of(ledger: Ledger) -> Settled:
    (part,) = next(ledger.settled())
    assert isinstance(part, Settled)
    return part


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


def test_who_comes_second_changes_nothing() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    claim = ledger.frame("nut", "c", seen(1))
    assert claim is not None
    ledger.missed("nut", "c", range(1, 2), GONE, None)
    assert ledger.resolve(claim, RESULT)
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
    settled: list[Settled] = []
    while len(settled) < 2:
        settled.extend(part for part in next(ledger.settled()) if isinstance(part, Settled))
    assert [reason(part) for part in settled] == [Reason.LATE, Reason.FRAME_LOST]
    assert claim is not None
    assert ledger.resolve(claim, late := result())
    assert next(ledger.settled()) == [Belated(claim, late)], "kept beside its verdict"
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
    assert [ledger.command("nut", Part(id=i)) for i in "xyz"] == [1, 2, 3]
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
        ledger.command("nut", Part())
    with pytest.raises(InputError, match=r"ledger\.open_limit is 10"):
        ledger.command("nut", Part())


def test_after_the_end_nothing_is_announced() -> None:
    ledger = ledger_of(source=TriggerSource.SOFTWARE)
    ledger.close(Reason.SHUTDOWN, "")
    with pytest.raises(InputError, match="no job"):
        ledger.command("nut", Part())


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
    late = next_of(ledger)
    assert reason(late) is Reason.LATE
    assert late.triggered_ns == minute_ago
    assert all_of(ledger) == []
    assert crew.join(LIMIT) == []


# What is beside results: bypass, announcements, late results, the timer's wake.


def test_bypassed_parts_pass_whatever_became_of_their_frames() -> None:
    ledger = ledger_of(deadline_s=60)
    ledger.started("nut", "c", 0)
    claim = ledger.frame("nut", "c", seen(1))
    ledger.bypass("nut", True)
    assert ledger.frame("nut", "c", seen(2)) is None, "nobody wants a look at it"
    ledger.missed("nut", "c", range(3, 4), GONE, None)
    assert ledger.bypassed() == ("nut",)
    ledger.bypass("nut", False)
    ledger.missed("nut", "c", range(4, 5), GONE, None)
    assert claim is not None
    ledger.resolve(claim, RESULT)
    kinds = [type(part.views[0].outcome) for part in all_of(ledger)]
    assert kinds == [Inspected, Bypassed, Bypassed, Unseen]


def announcing(announced_s: float = 60, *cameras: str) -> Ledger:
    plan = StationPlan(cameras or ("c",), TriggerSource.HARDWARE, 60.0, announced_s=announced_s)
    ledger = Ledger({"nut": plan}, open_limit=10)
    for camera in cameras or ("c",):
        ledger.started("nut", camera, 0)
    return ledger


def test_an_announced_part_is_of_the_next_trigger() -> None:
    ledger = announcing()
    ledger.frame("nut", "c", seen(1))
    assert ledger.announce("nut", Part(id="A2"), None) == 2
    claim = ledger.frame("nut", "c", seen(2))
    assert claim is not None
    assert claim.number == 2
    ledger.frame("nut", "c", seen(3))
    assert [part.part.id for part in all_of(ledger)] == [None, "A2", None]


def test_a_part_whose_trigger_never_comes_is_frame_lost_and_shifts_nothing() -> None:
    ledger = announcing(0.05)
    crew = Crew(lambda: None)
    crew.start("timer", ledger.run_timer)
    ledger.announce("nut", Part(id="A1"), None)
    lost = next_of(ledger)
    assert (lost.part.id, reason(lost)) == ("A1", Reason.FRAME_LOST)
    ledger.announce("nut", Part(id="A2"), None)
    claim = ledger.frame("nut", "c", seen(1))
    assert claim is not None
    assert claim.number == 2, "the first trigger is of the part announced before it"
    ledger.close(Reason.SHUTDOWN, "")
    assert crew.join(LIMIT) == []


def test_an_announced_trigger_that_was_counted_has_the_deadline_of_a_trigger() -> None:
    plan = StationPlan(("c",), TriggerSource.HARDWARE, 0.05, announced_s=60)
    ledger = Ledger({"nut": plan}, open_limit=10)
    ledger.started("nut", "c", 0)
    crew = Crew(lambda: None)
    crew.start("timer", ledger.run_timer)
    ledger.announce("nut", Part(id="A1"), None)
    ledger.counted("nut", "c", 1)
    assert reason(next_of(ledger)) is Reason.FRAME_LOST
    ledger.close(Reason.SHUTDOWN, "")
    assert crew.join(LIMIT) == []


def test_only_announced_views_are_waited_for() -> None:
    ledger = announcing(60, "a", "b")
    ledger.announce("nut", Part(id="A1"), ("a",))
    claim = ledger.frame("nut", "a", seen(1))
    assert claim is not None
    ledger.resolve(claim, RESULT)
    part = next_of(ledger)
    assert [view.camera for view in part.views] == ["a"]


def test_a_result_nobody_takes_is_its_giver_s_to_let_go() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    claim = ledger.frame("nut", "c", seen(1))
    assert claim is not None
    ledger.close(Reason.SHUTDOWN, "")
    assert not ledger.resolve(claim, RESULT)


def test_numbers_go_on_over_jobs_and_the_account_with_them() -> None:
    plan = {"nut": StationPlan(("c",), TriggerSource.HARDWARE, 60.0)}
    first = Ledger(plan, 10, last={"nut": 7})
    first.started("nut", "c", 0)
    first.missed("nut", "c", range(1, 3), GONE, None)
    for part in all_of(first):
        first.published("nut", part.number, Kind.NO_VERDICT)
    second = Ledger(plan, 10, last=first.newest(), carried=first.counts())
    second.started("nut", "c", 0)
    claim = second.frame("nut", "c", seen(1))
    assert claim is not None
    assert claim.number == 10
    assert second.counts()["nut"] == Counts(triggers=3, no_verdict=2, open=1)


def test_what_settles_together_leaves_together() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    ledger.missed("nut", "c", range(1, 6), GONE, None)
    assert len(next(ledger.settled())) == 5


def test_an_account_that_does_not_add_up_is_told() -> None:
    good = Counts(triggers=3, passed=1, failed=1, open=1)
    bad = Counts(triggers=4, passed=1, failed=1, open=1)
    assert unbalanced({"a": good, "b": bad}) == {
        "b": "4 triggers, but 1 PASS + 1 FAIL + 0 NO_VERDICT + 1 open"
    }


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 12))
def test_a_part_is_judged_by_what_it_was_opened_by_whatever_comes_after(
    late: list[bool], at: int
) -> None:
    """Frames of two cameras on either side of a switch: a part's views are judged by the same."""
    before, after = (
        StationPlan(
            ("a", "b"),
            TriggerSource.HARDWARE,
            seconds,
            commit_budget_s=seconds / 10,
            judging=object(),  # type: ignore[arg-type] # the ledger never looks into it
        )
        for seconds in (50.0, 100.0)
    )
    ledger = Ledger({"nut": before}, open_limit=100)
    for camera in ("a", "b"):
        ledger.started("nut", camera, 0)
    begun = time.monotonic()
    claims: dict[int, list[Claim | None]] = {}
    first = None
    waiting: list[int] = []
    for number, is_late in enumerate(late, start=1):
        if number - 1 == at:
            first = ledger.switch("nut", after)
        claims[number] = [ledger.frame("nut", "a", seen(number))]
        waiting.append(number)
        if not is_late:
            for its in waiting:
                claims[its].append(ledger.frame("nut", "b", seen(its)))
            waiting = []
    for its in waiting:
        claims[its].append(ledger.frame("nut", "b", seen(its)))
    assert first == (at + 1 if at < len(late) else None)
    for number, of_part in claims.items():
        plan = after if first is not None and number >= first else before
        for claim in of_part:
            assert claim is not None
            assert claim.judging is plan.judging
            assert claim.due - begun == pytest.approx(0.9 * plan.deadline_s, abs=5)
    for part in all_of(ledger):
        plan = after if first is not None and part.number >= first else before
        assert part.judging is plan.judging
        assert part.deadline - begun == pytest.approx(plan.deadline_s, abs=5)


def test_an_announced_part_keeps_what_it_was_announced_under() -> None:
    plans = [StationPlan(("c",), TriggerSource.HARDWARE, s) for s in (50.0, 100.0)]
    ledger = Ledger({"nut": plans[0]}, open_limit=10)
    ledger.started("nut", "c", 0)
    number = ledger.announce("nut", Part(id="A-1"), None)
    assert ledger.switch("nut", plans[1]) == number + 1
    claim = ledger.frame("nut", "c", seen(1))
    assert claim is not None
    assert claim.number == number
    assert claim.due - time.monotonic() < 55


def test_frames_of_a_doubtful_exposure_are_no_verdict_until_one_is_exposed_after_it() -> None:
    ledger = ledger_of()
    ledger.started("nut", "c", 0)
    doubt = Unseen(Reason.INVALID, "the camera was being set")
    early = seen(3)
    ledger.doubt("nut", doubt)
    assert ledger.frame("nut", "c", seen(1)) is None
    ledger.trust("nut")
    assert ledger.frame("nut", "c", replace(early, trigger=2)) is None, "exposed before"
    claim = ledger.frame("nut", "c", seen(3))
    assert claim is not None
    assert ledger.resolve(claim, RESULT)
    outcomes = [part.views[0].outcome for part in all_of(ledger)]
    assert outcomes == [doubt, doubt, RESULT]
