"""Quantiles by bits are those of sorted values, whatever the order and the split."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.bit_histogram import BitHistogram
from models.quantiles import quantile

VALUES = st.lists(
    st.one_of(
        st.floats(0, width=32, allow_nan=False, allow_infinity=False),
        st.floats(1, 1 + 2**-13, width=32),  # many a bin
        st.sampled_from([0.0, 2**-149, 0.5, 1.0, 3.4028234663852886e38]),
    ),
    min_size=1,
    max_size=40,
).map(lambda values: np.array(values, np.float32))
PROBABILITIES = st.floats(0, 1)


def histogram(*batches: NDArray[np.float32]) -> BitHistogram:
    found = BitHistogram()
    for batch in batches:
        found.add(batch)
    return found


@given(values=VALUES, probability=PROBABILITIES)
def test_the_rank_misses_by_no_more_than_is_said(
    values: NDArray[np.float32], probability: float
) -> None:
    found, missed = histogram(values).quantile(probability)
    assert np.float32(found) in values
    rank = min(max(int(np.ceil(probability * values.size)), 1), values.size)
    first = int(np.count_nonzero(values < found)) + 1
    last = int(np.count_nonzero(values <= found))
    off = max(first - rank, rank - last, 0)
    assert off <= missed * values.size + 1e-9
    exact = quantile(values, probability)
    if missed == 0:
        assert found == exact
    assert histogram(values).resolve(probability, np.array_split(values, 3)) == exact


@given(values=VALUES, seed=st.integers(0, 99), data=st.data())
def test_order_and_split_change_no_byte(
    values: NDArray[np.float32], seed: int, data: st.DataObject
) -> None:
    shuffled = np.random.default_rng(seed).permutation(values)
    cut = data.draw(st.integers(0, values.size))
    merged = histogram(shuffled[:cut])
    merged.merge(histogram(shuffled[cut:]))
    whole = histogram(values)
    assert merged.to_bytes() == whole.to_bytes()
    assert merged == whole
    assert merged.count == whole.count == values.size
    again = BitHistogram.from_bytes(whole.to_bytes())
    assert again.to_bytes() == whole.to_bytes()
    assert again.quantile(0.9) == whole.quantile(0.9) == merged.quantile(0.9)


@given(values=VALUES, more=VALUES)
def test_other_values_are_other_bytes(
    values: NDArray[np.float32], more: NDArray[np.float32]
) -> None:
    assert histogram(values) != histogram(values, more)


@given(values=VALUES, probability=PROBABILITIES)
def test_values_rounded_to_bf16_are_exact(values: NDArray[np.float32], probability: float) -> None:
    rounded = torch.from_numpy(values).clamp(max=1e30).bfloat16().float().numpy()
    assert histogram(rounded).quantile(probability) == (quantile(rounded, probability), 0.0)


def test_a_bin_is_known_at_both_ends_and_missed_between() -> None:
    """Ten neighbours in one bin, beside ten below: the twelfth is one off from the eleventh."""
    ones = np.float32(1) + np.arange(10, dtype=np.float32) * np.float32(2**-23)
    found = histogram(np.concatenate([np.full(10, 0.5, np.float32), ones]))
    assert found.quantile(0.5) == (0.5, 0.0)
    assert found.quantile(11 / 20) == (1.0, 0.0)
    assert found.quantile(12 / 20) == (1.0, 1 / 20)
    assert found.quantile(15 / 20) == (1.0, 4 / 20)
    assert found.quantile(16 / 20) == (float(ones[-1]), 4 / 20)
    assert found.quantile(1) == (float(ones[-1]), 0.0)


def test_a_million_cells_are_within_1e_4_of_their_rank() -> None:
    values = np.random.default_rng(0).gamma(8, 0.05, 1_000_000).astype(np.float32)
    found = histogram(*np.split(values, 10))
    for probability in (0.9, 0.995):
        value, missed = found.quantile(probability)
        assert missed < 1e-4
        assert value == pytest.approx(quantile(values, probability), rel=2**-16)


def test_minus_zero_is_zero() -> None:
    assert histogram(np.array([-0.0], np.float32)) == histogram(np.zeros(1, np.float32))


@pytest.mark.parametrize("value", [-1.0, -1e-45, np.inf, -np.inf, np.nan, -np.nan])
def test_what_no_map_can_be_is_refused(value: float) -> None:
    found = histogram(np.ones(3, np.float32))
    with pytest.raises(ValueError, match="finite and not negative"):
        found.add(np.array([0.5, value, 2.0], np.float32))
    assert found == histogram(np.ones(3, np.float32)), "nothing of it was added"


def test_nothing_has_no_quantile() -> None:
    assert histogram(np.empty(0, np.float32)).count == 0
    with pytest.raises(ValueError, match="no values"):
        BitHistogram().quantile(0.5)


@given(cut=st.integers(0, 200), flip=st.integers(0, 199))
def test_damaged_bytes_are_refused_or_read_as_they_are(cut: int, flip: int) -> None:
    content = histogram(np.linspace(0, 3, 12, dtype=np.float32)).to_bytes()
    if cut < len(content):
        with pytest.raises(ValueError, match="not a histogram"):
            BitHistogram.from_bytes(content[:cut])
    damaged = bytearray(content)
    damaged[flip % len(content)] ^= 0x10
    with contextlib.suppress(ValueError):
        assert BitHistogram.from_bytes(bytes(damaged)).to_bytes() == bytes(damaged)
