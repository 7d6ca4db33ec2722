"""Curves are means of the steps, thinned, and a history goes on from its rows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.history import NAMES, POINTS, History


def a_history(steps: int) -> History:
    history = History()
    for step in range(steps):
        history.add({"total": float(step), "ae": 2.0 * step})
    return history


@given(st.integers(1, 1500))
def test_points_are_means_that_lose_no_step(steps: int) -> None:
    curves = a_history(steps).curves(100)
    assert len(curves) == min(steps, 100)
    start = 0
    for end, values in curves:
        assert values == pytest.approx(
            {"total": (start + end - 1) / 2, "ae": start + end - 1}, rel=1e-4
        )
        start = end
    assert start == steps


def test_held_out_is_a_point_of_its_span_alone() -> None:
    history = a_history(3)
    history.add_held_out(7.0)
    history.add({"total": 3.0})
    curves = history.curves()
    assert [list(values) for _, values in curves] == [
        ["total", "ae"],
        ["total", "ae"],
        ["total", "ae", "held_out"],
        ["total"],
    ]
    assert curves[2][1]["held_out"] == 7
    assert POINTS == 500


def test_a_history_goes_on_from_its_rows() -> None:
    history = a_history(3)
    again = History(history.rows)
    again.add({"total": 9.0})
    assert again.totals == [0, 1, 2, 9]
    assert history.rows.shape == (3, len(NAMES))
    assert math.isnan(history.rows[0, NAMES.index("cdo")])
    assert len(history) == 3
