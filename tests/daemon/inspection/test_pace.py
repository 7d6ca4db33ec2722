"""What cannot be in time is not begun; whatever the load, the device gives what it can."""

import random
from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.inspection.pace import Pace

TIMES = st.floats(0.0001, 10, allow_nan=False)


def known(*seconds: float) -> Pace:
    """Give a pace that took these in, the last of them at 0."""
    pace = Pace()
    for one in seconds:
        pace.took(one, 0.0)
    return pace


@given(st.lists(TIMES, max_size=3))
def test_an_engine_that_is_not_known_yet_is_tried(few: list[float]) -> None:
    assert known(*few).expected(0.0) == 0


@given(TIMES, st.integers(4, 30))
def test_a_steady_pace_is_known(seconds: float, count: int) -> None:
    assert known(*[seconds] * count).expected(0.0) == seconds


@given(TIMES, TIMES, st.integers(0, 7))
def test_one_stall_is_not_what_the_next_is_expected_to_take(
    usual: float, stall: float, at: int
) -> None:
    times = [usual] * 8
    times[at] = usual + stall
    assert known(*times).expected(0.0) == usual


@given(st.lists(TIMES, min_size=4, max_size=8))
def test_what_has_nothing_to_do_is_tried(times: list[float]) -> None:
    pace = known(*times)
    assert pace.expected(0.0) > 0
    assert pace.expected(min(times)) == 0


@dataclass
class Line:
    """A queue before one engine that takes about 1 s a frame, with ``load`` frames a second."""

    load: float
    deadline: float
    slots: int = 16

    def in_time(self, frames: int = 2000) -> float:
        """Give the verdicts in time, a second."""
        spread = random.Random(0)  # noqa: S311
        pace, now, next_, done = Pace(), 0.0, 0, 0
        queue: deque[float] = deque()  # when each frame came
        while next_ < frames or queue:
            while next_ < frames and next_ / self.load <= now:
                if len(queue) < self.slots:
                    queue.append(next_ / self.load)
                next_ += 1
            if not queue:
                now = next_ / self.load
                continue
            due = queue.popleft() + self.deadline
            if due > now and due - now >= pace.expected(now):
                took = spread.lognormvariate(0, 0.05)
                now += took
                pace.took(took, now)
                done += now <= due
        return done * self.load / frames


@pytest.mark.parametrize("deadline", [1.5, 2.0, 3.0, 8.0])
@pytest.mark.parametrize("load", [0.8, 0.95, 1.2, 2.0, 5.0, 10.0])
def test_under_any_load_most_of_what_the_device_can_do_is_in_time(
    load: float, deadline: float
) -> None:
    assert Line(load, deadline).in_time() >= 0.85 * min(load, 1.0)
