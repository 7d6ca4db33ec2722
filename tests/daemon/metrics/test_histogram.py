"""Quantiles are near the true ones, counts are exact, and reading disturbs no counting."""

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.metrics.histogram import TOLERANCE, Latencies, LatencyHistogram

WITHIN = st.lists(
    st.one_of(st.integers(1 << 10, (1 << 40) - 1), st.integers(1 << 10, 1 << 14)), min_size=1
)
ANY = st.lists(st.integers(-(10**9), 10**14), max_size=50)


def observed(durations: list[int]) -> Latencies:
    histogram = LatencyHistogram()
    for ns in durations:
        histogram.observe(ns)
    return histogram.read()


@given(WITHIN, st.floats(0, 1))
def test_a_quantile_is_near_the_duration_of_that_rank(durations: list[int], q: float) -> None:
    true = sorted(durations)[max(1, math.ceil(q * len(durations))) - 1]
    assert observed(durations).quantile_ns(q) == pytest.approx(true, rel=TOLERANCE)
    assert TOLERANCE <= 0.05


@given(st.integers(10, 39), st.integers(0, 15), st.integers(-1, 1))
def test_no_edge_of_a_bucket_is_misplaced(power: int, part: int, beside: int) -> None:
    edge = max(1 << 10, (1 << power) + (part << power - 4) + beside)
    assert observed([edge, 1 << 40]).quantile_ns(0.5) == pytest.approx(edge, rel=TOLERANCE)


@given(ANY)
def test_counts_sum_and_maximum_are_exact_whatever_comes(durations: list[int]) -> None:
    known = [max(0, ns) for ns in durations]
    latencies = observed(durations)
    assert latencies.count == len(known)
    assert latencies.sum_ns == sum(known)
    assert latencies.max_ns == max(known, default=0)
    if known:
        assert latencies.mean_ns == pytest.approx(sum(known) / len(known))
        assert 0 <= latencies.quantile_ns(1) <= latencies.max_ns


@given(ANY)
def test_coarse_buckets_hold_what_lasted_less_than_they_say(durations: list[int]) -> None:
    buckets = observed(durations).buckets()
    assert len(buckets) == len({bound for bound, _ in buckets}) == 49
    assert buckets[0][0] <= 10e-6
    assert buckets[-2][0] >= 100
    for bound, count in buckets:
        assert count == sum(ns < bound * 1e9 for ns in durations)


@given(ANY, ANY)
def test_adding_two_is_observing_both(some: list[int], others: list[int]) -> None:
    assert observed(some) + observed(others) == observed(some + others)


def test_nothing_observed_has_no_quantile() -> None:
    nothing = observed([])
    assert nothing.count == 0
    with pytest.raises(ValueError, match="nothing"):
        nothing.quantile_ns(0.5)
    with pytest.raises(ValueError, match="nothing"):
        _ = nothing.mean_ns
    with pytest.raises(ValueError, match="from 0 to 1"):
        observed([5]).quantile_ns(50)


def test_who_reads_disturbs_nobody_who_counts() -> None:
    histogram, total = LatencyHistogram(), 50_000

    def count() -> None:
        for ns in range(total):
            histogram.observe(ns * 1000)

    writer = threading.Thread(target=count)
    writer.start()
    before = 0
    while before < total:
        latencies = histogram.read()
        assert before <= latencies.count == latencies.buckets()[-1][1] <= total
        before = latencies.count
    writer.join()
    assert histogram.read() == observed([ns * 1000 for ns in range(total)])
