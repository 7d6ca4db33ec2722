"""A good part gives a pulse at the gate; whatever else happens gives none."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.camera.gate import Belt, Gate, Good, OutputPlan

MS = 1_000_000
START = 10**12


def plan(
    pulse_ms: float = 20, delay_ms: float | None = 100, counts: int | None = None
) -> OutputPlan:
    return OutputPlan(
        line="Line1",
        user_output="UserOutput0",
        pulse_ms=pulse_ms,
        delay_ms=None if counts is not None else delay_ms,
        encoder_counts=counts,
    )


def test_a_pulse_begins_at_the_gate_and_ends_after_its_width() -> None:
    gate = Gate(plan())
    gate.exposed(7, START)
    assert gate.step(START) == (False, [])
    assert gate.good(1000 + 7, 7) == ""
    assert gate.pause_ns(START) == 100 * MS
    assert gate.step(START + 100 * MS - 1) == (False, [])
    assert gate.step(START + 100 * MS) == (True, [])
    assert gate.pause_ns(START + 100 * MS) == 20 * MS
    assert gate.step(START + 120 * MS - 1) == (True, [])
    assert gate.step(START + 120 * MS) == (False, [])
    assert gate.pause_ns(START + 120 * MS) is None


def test_a_part_that_was_not_called_good_gets_none() -> None:
    gate = Gate(plan())
    gate.exposed(7, START)
    assert gate.pause_ns(START) is None
    assert gate.step(START + 110 * MS) == (False, [])


@pytest.mark.parametrize(("pulse_ms", "tolerance_ms"), [(20, 5), (4, 2)])
def test_a_pulse_that_comes_too_late_is_not_given(pulse_ms: float, tolerance_ms: int) -> None:
    for late, given_ in ((tolerance_ms * MS, True), (tolerance_ms * MS + 1, False)):
        gate = Gate(plan(pulse_ms))
        gate.exposed(7, START)
        gate.good(1000 + 7, 7)
        assert gate.step(START + 100 * MS + late) == (
            given_,
            [] if given_ else [Good(START + 100 * MS, 7, 1007)],
        )
        end = START + 100 * MS + round(pulse_ms * MS)
        assert gate.step(end) == (False, []), "and it is over when it would have been"


def test_a_trigger_nobody_has_seen_gets_none() -> None:
    gate = Gate(plan())
    assert "not known" in gate.good(1000 + 7, 7)
    gate.exposed(8, START)
    assert gate.good(1000 + 8, 8) == ""
    assert "not known" in gate.good(1000 + 8, 8), "once a part"


def test_what_is_abandoned_is_named() -> None:
    gate = Gate(plan())
    for trigger in (1, 2, 3):
        gate.exposed(trigger, START + trigger * 50 * MS)
    gate.good(1000 + 1, 1)
    gate.good(1000 + 2, 2)
    assert gate.step(START + 150 * MS) == (True, [])
    assert gate.abandon() == [Good(START + 200 * MS, 2, 1002)]
    assert gate.step(START + 151 * MS) == (False, [])
    assert "not known" in gate.good(1000 + 3, 3)


times = st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=20)


@given(times, st.integers(1, 60), st.integers(1, 7))
def test_the_level_is_high_where_a_good_part_is_at_the_gate(
    parts: list[tuple[int, bool]], pulse: int, step: int
) -> None:
    """By brute force, in ms: high if and only if some good part's pulse covers the moment."""
    gate = Gate(plan(pulse))
    at, gates = 0, []
    for trigger, (after, good) in enumerate(parts):
        at += after
        gate.exposed(trigger, START + at * MS)
        if good:
            assert gate.good(1000 + trigger, trigger) == ""
            gates.append(at + 100)
    given_ = set()
    for now in range(0, at + 200 + pulse, step):
        level, missed = gate.step(START + now * MS)
        due = [g for g in gates if now - step < g <= now]
        in_time = [g for g in due if now - g <= min(5, pulse / 2)]
        assert len(missed) == len(due) - len(in_time)
        given_.update(in_time)
        assert level == any(g <= now < g + pulse for g in given_)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-1000, 2**31 - 1), min_size=1, max_size=50))
def test_the_encoder_s_wraps_are_undone(start: int, steps: list[int]) -> None:
    belt = Belt()
    belt.read(0, start)
    true = start
    for number, step in enumerate(steps, 1):
        true += step
        belt.read(number, true % 2**32)
        assert belt.counts == true


def test_the_belt_is_known_between_readings_only() -> None:
    belt = Belt()
    assert belt.at(START) is None
    belt.read(START, 1000)
    belt.read(START + 10 * MS, 1100)
    assert belt.at(START - 1) is None
    assert belt.at(START + 5 * MS) == 1050
    assert belt.at(START + 10 * MS) == 1100
    assert belt.at(START + 2000 * MS) is None, "that reading is stale"


def run_belt(gate: Gate, counts: list[int]) -> list[tuple[int, bool]]:
    """Move the belt, a reading a ms from START; give (ms, level) of each edge."""
    levels = [(-1, False)]
    for ms, count in enumerate(counts):
        gate.belt.read(START + ms * MS, count % 2**32)
        level, missed = gate.step(START + ms * MS)
        assert missed == []
        levels.append((ms, level))
    return [b for a, b in pairwise(levels) if a[1] != b[1]]


@pytest.mark.parametrize("origin", [0, 2**32 - 130])
def test_by_encoder_the_pulse_comes_where_the_belt_is_not_when(origin: int) -> None:
    gate = Gate(plan(counts=100))
    gate.belt.read(START - 10 * MS, origin % 2**32)
    gate.belt.read(START, (origin + 20) % 2**32)
    gate.exposed(1, START - 5 * MS)  # at 10 counts
    assert gate.good(1000 + 1, 1) == ""
    assert gate.pause_ns(START) == 0
    stop_and_go = [origin + c for c in (20, 60, *[100] * 50, 109, 110, *range(111, 150))]
    assert run_belt(gate, stop_and_go) == [(53, True), (73, False)]


def test_by_encoder_too_late_is_too_late() -> None:
    gate = Gate(plan(counts=100))
    for ms in range(0, 200, 10):
        gate.belt.read(START + ms * MS, ms)
    gate.exposed(1, START)
    gate.exposed(2, START + 87 * MS)
    gate.good(1000 + 1, 1)
    gate.good(1000 + 2, 2)
    level, missed = gate.step(START + 190 * MS)
    assert (level, [good.trigger for good in missed]) == (True, [1]), "2 is 3 ms late, 1 is 90"


def test_without_a_reading_near_its_exposure_a_part_gets_none() -> None:
    gate = Gate(plan(counts=100))
    gate.belt.read(START, 0)
    gate.exposed(1, START - 1)
    assert "not known" in gate.good(1000 + 1, 1)
