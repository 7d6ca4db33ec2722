"""What cannot be in time is not begun; and after a stall somebody tries again."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.inspection.pace import Pace

TIMES = st.floats(0.0001, 10, allow_nan=False)


def test_nothing_is_expected_before_the_first() -> None:
    pace = Pace()
    pace.skipped()
    assert pace.expected == 0


@given(TIMES, st.integers(30, 100))
def test_a_steady_pace_is_known_with_a_margin(seconds: float, count: int) -> None:
    pace = Pace()
    for _ in range(count):
        pace.took(seconds)
    assert seconds <= pace.expected <= 1.01 * seconds + 1e-9


@given(TIMES, TIMES)
def test_after_a_stall_one_is_tried_again_soon(usual: float, stall: float) -> None:
    pace = Pace()
    pace.took(usual)
    pace.took(stall)
    skipped = 0
    while pace.expected > 0.01 * usual:
        pace.skipped()
        skipped += 1
    assert skipped <= 150
