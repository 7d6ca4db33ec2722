"""The threshold rejects a new good part at most as often as it was asked to."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.threshold import default_rate, threshold

SCORES = st.floats(-1e3, 1e3, width=32)
#: Few values, so that many parts tie.
TIED = st.sampled_from([0.0, 0.5, 0.75, 1.0])


@given(st.lists(SCORES, min_size=2, max_size=40) | st.lists(TIED, min_size=2), st.data())
def test_a_new_good_part_is_rejected_at_most_at_the_rate(
    scores: list[float], data: st.DataObject
) -> None:
    """Of n + 1 parts any is as likely to be the new one: as many of those choices are rejected."""
    rate = data.draw(st.floats(1 / len(scores), 0.9))
    rejected = 0
    for place, new in enumerate(scores):
        others = scores[:place] + scores[place + 1 :]
        rejected += new >= threshold(others, rate)
    assert rejected <= rate * len(scores) + 1e-6


@given(st.lists(SCORES, min_size=1, max_size=60, unique=True), st.data())
def test_it_is_the_smallest_score_that_rank_allows(
    scores: list[float], data: st.DataObject
) -> None:
    rate = data.draw(st.floats(1 / (len(scores) + 1), 0.99))
    limit = threshold(scores, rate)
    rejected = sum(score >= limit for score in scores)
    assert rejected == len(scores) - max(math.ceil((len(scores) + 1) * (1 - rate) - 1e-9), 1)


@given(st.lists(SCORES, min_size=1, max_size=60))
def test_at_the_default_rate_every_part_shown_passes(scores: list[float]) -> None:
    limit = threshold(scores, default_rate(len(scores)))
    assert max(scores) < limit
    assert limit == np.nextafter(np.float32(max(scores)), np.float32(np.inf))


@given(st.lists(TIED, min_size=9, max_size=60), st.floats(0.1, 0.9))
def test_a_score_equal_to_the_rank_s_passes(scores: list[float], rate: float) -> None:
    limit = threshold(scores, rate)
    assert any(score < limit <= score + 1e-6 for score in scores)


@given(st.integers(1, 3000))
def test_refusal_names_how_many_parts_it_takes(parts: int) -> None:
    rate = 1 / (parts + 1)
    threshold([0.0] * parts, rate)
    with pytest.raises(InputError, match=f"^{parts - 1} good parts .* takes {parts} parts$"):
        threshold([0.0] * (parts - 1), rate)


def test_refusal_tells_the_best_that_the_parts_support() -> None:
    with pytest.raises(InputError) as refused:
        threshold([0.0] * 19, 0.01)
    said = "19 good parts support a false reject rate of 5.00% at best; 1.00% takes 99 parts"
    assert str(refused.value) == said


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="must be above 0 and below 1"):
        threshold([0.0] * 10, rate)


def test_default_rate_is_the_lowest_supported_down_to_one_in_a_thousand() -> None:
    assert default_rate(1) == 0.5
    assert default_rate(49) == 0.02
    assert default_rate(5000) == 0.001
