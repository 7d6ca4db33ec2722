"""Views of one part come together, whatever each camera counts, misses or sends first."""

import random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.claims import Seen, StationPlan
from daemon.ledger import Ledger
from daemon.messages import Reason, TriggerSource
from daemon.parts import Settled, Unseen

CAMERAS = ("a", "b", "c", "d", "e")  # five views, as Real-IAD has
PERIOD_NS = 200_000_000
START_NS = 1_000_000_000
LOST = Unseen(Reason.FRAME_LOST, "skipped")

Grouping = Literal["counter", "window"]


def ledger_of(grouping: Grouping) -> Ledger:
    plan = StationPlan(CAMERAS, TriggerSource.HARDWARE, 1e9, grouping=grouping, window_s=0.05)
    return Ledger({"nut": plan}, open_limit=1000)


def exposed(part: int) -> int:
    return START_NS + part * PERIOD_NS


def parts_of(ledger: Ledger) -> list[Settled]:
    ledger.close(Reason.SHUTDOWN, "the end")
    settled = [part for batch in ledger.settled() for part in batch if isinstance(part, Settled)]
    return [part for part in settled if not part.partial]


def assert_grouped(parts: list[Settled]) -> None:
    """Hold every part's views against each other: all of one moment."""
    for part in parts:
        moments = {round(v.seen.exposed_ns / PERIOD_NS) for v in part.views if v.seen is not None}
        assert len(moments) <= 1, (part.number, moments)


@pytest.mark.parametrize("grouping", ["counter", "window"])
@given(
    bases=st.lists(st.integers(0, 1000), min_size=5, max_size=5),
    parts=st.integers(1, 12),
    lost=st.sets(st.tuples(st.sampled_from(CAMERAS), st.integers(1, 12))),
    seed=st.integers(0, 10_000),
)
def test_five_cameras_that_count_from_anywhere(
    grouping: Grouping,
    bases: list[int],
    parts: int,
    lost: set[tuple[str, int]],
    seed: int,
) -> None:
    """Frames of one part come in any order, within it; some are lost, and said to be."""
    ledger, order = ledger_of(grouping), random.Random(seed)  # noqa: S311 (an order, no secret)
    base = dict(zip(CAMERAS, bases, strict=True))
    for camera in CAMERAS:
        ledger.started("nut", camera, base[camera])
    for part in range(1, parts + 1):
        for camera in order.sample(CAMERAS, len(CAMERAS)):
            trigger = base[camera] + part
            if (camera, part) in lost and part > 1:  # the first aligns them
                ledger.missed("nut", camera, range(trigger, trigger + 1), LOST, None)
                continue
            at = exposed(part) + order.randrange(-10_000_000, 10_000_000)
            ledger.frame("nut", camera, Seen(trigger, part, None, at, at))
    settled = parts_of(ledger)
    assert_grouped(settled)
    complete = [n for n in range(2, parts + 1) if not any((c, n) in lost for c in CAMERAS)]
    by_moment = {
        round(v.seen.exposed_ns / PERIOD_NS) - START_NS // PERIOD_NS: part
        for part in settled
        for v in part.views
        if v.seen is not None
    }
    for number in complete:
        assert all(view.seen is not None for view in by_moment[number].views), number
    if grouping == "counter":
        assert len(settled) == parts


def test_a_camera_that_misses_a_trigger_unknowingly_is_aligned_anew() -> None:
    ledger = ledger_of("counter")
    for camera in CAMERAS:
        ledger.started("nut", camera, 0)
    for part in range(1, 6):
        for camera in CAMERAS:
            if camera == "b" and part == 3:
                continue  # its FrameIDs go on as if nothing had been
            trigger = part - (camera == "b" and part > 3)
            at = exposed(part)
            ledger.frame("nut", camera, Seen(trigger, trigger, None, at, at))
    settled = parts_of(ledger)
    assert_grouped(settled)
    assert [sum(v.seen is None for v in part.views) for part in settled] == [0, 0, 1, 0, 0]


def test_a_first_camera_that_misses_a_trigger_is_aligned_anew() -> None:
    ledger = ledger_of("counter")
    for camera in CAMERAS:
        ledger.started("nut", camera, 0)
    for part in range(1, 6):
        for camera in CAMERAS:
            if camera == "a" and part == 3:
                continue
            trigger = part - (camera == "a" and part > 3)
            at = exposed(part)
            ledger.frame("nut", camera, Seen(trigger, trigger, None, at, at))
    settled = parts_of(ledger)
    assert_grouped(settled)
    assert [sum(v.seen is None for v in part.views) for part in settled] == [0, 0, 1, 0, 0]


def test_a_camera_that_starts_later_joins() -> None:
    ledger = ledger_of("counter")
    for camera in CAMERAS[:-1]:
        ledger.started("nut", camera, 0)
    for part in (1, 2, 3):
        if part == 2:
            ledger.started("nut", "e", 101)
        for camera in CAMERAS:
            if camera != "e" or part > 1:
                trigger = part + 100 * (camera == "e")
                at = exposed(part)
                ledger.frame("nut", camera, Seen(trigger, part, None, at, at))
    settled = parts_of(ledger)
    assert_grouped(settled)
    assert [sum(v.seen is None for v in part.views) for part in settled] == [1, 0, 0]


def test_a_view_without_others_shifts_nothing() -> None:
    """One camera sees an edge that the others do not; its part ends, the next ones are whole."""
    ledger = ledger_of("counter")
    for camera in CAMERAS:
        ledger.started("nut", camera, 0)
    at = exposed(1)
    ledger.frame("nut", "c", Seen(1, 1, None, at, at))
    for camera in CAMERAS:
        if camera != "c":
            ledger.camera_away("nut", camera, "the part ends without it")
            ledger.started("nut", camera, 0)
    for part in range(2, 5):
        for camera in CAMERAS:
            trigger = part - (camera != "c")
            at = exposed(part)
            ledger.frame("nut", camera, Seen(trigger, trigger, None, at, at))
    settled = parts_of(ledger)
    assert_grouped(settled)
    assert [sum(v.seen is None for v in part.views) for part in settled] == [4, 0, 0, 0]
