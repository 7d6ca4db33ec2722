"""Quantiles are order statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quantiles import quantile

VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=80)
PROBABILITIES = st.floats(0, 1)


@given(VALUES, PROBABILITIES)
def test_smallest_value_that_the_share_does_not_exceed(
    values: list[float], probability: float
) -> None:
    def enough(value: float) -> bool:
        return sum(v <= value for v in values) >= probability * len(values)

    assert quantile(values, probability) == min(v for v in values if enough(v))


@given(VALUES, PROBABILITIES, st.randoms())
def test_order_and_shape_do_not_matter(
    values: list[float], probability: float, random: object
) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    found = quantile(values, probability)
    assert quantile(shuffled, probability) == found
    assert quantile(np.array(values, np.float32).reshape(1, -1, 1), probability) == found


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 5000])
def test_it_is_the_one_of_that_rank_among_the_sorted(size: int) -> None:
    cells = np.random.default_rng(size).random(size, np.float32)
    assert quantile(cells, 0.999) == np.sort(cells)[int(np.ceil(0.999 * size)) - 1]


def test_ends_and_middle() -> None:
    assert [quantile([3, 1, 2, 4], p) for p in (0, 0.25, 0.26, 0.5, 0.9, 1)] == [1, 1, 2, 2, 4, 4]


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
