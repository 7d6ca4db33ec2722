"""The rate that a threshold states is the rate that it has, as often as it says."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from calibration.intervals import share_interval
from calibration.labelled import Prices
from calibration.thresholds import part_scores, threshold_for
from models.errors import InputError
from models.threshold import Method

Scores = NDArray[np.float32]
CALIBRATIONS = 200
DRAWN = {
    "normal": stats.norm(1, 0.1),
    "lognormal": stats.lognorm(0.4, scale=0.1),
    "exponential": stats.expon(),
    "uniform": stats.uniform(0.2, 0.1),
}


def as_bf16(scores: Scores) -> Scores:
    rounded: Scores = torch.from_numpy(scores).bfloat16().float().numpy()
    return rounded


def as_fp32(scores: Scores) -> Scores:
    return scores


@pytest.mark.parametrize("rounded", [as_fp32, as_bf16])
@pytest.mark.parametrize(("parts", "rate"), [(20, None), (50, None), (50, 0.1), (300, 0.02)])
@pytest.mark.parametrize("name", DRAWN)
def test_the_stated_rate_holds_in_simulated_calibrations(
    name: str, parts: int, rate: float | None, rounded: Callable[[Scores], Scores]
) -> None:
    shares = (np.arange(100_000) + 0.5) / 100_000
    line = rounded(DRAWN[name].ppf(shares).astype(np.float32))  # all that it will ever make
    rng = np.random.default_rng(parts)
    real, held, stated = [], 0, 0.0
    for _ in range(CALIBRATIONS):
        drawn = DRAWN[name].ppf(rng.random(parts)).astype(np.float32)
        made = threshold_for(rounded(drawn).tolist(), rate)
        rejected = 1 - np.searchsorted(line, np.float32(made.value), side="left") / len(line)
        low, high = made.interval
        held += bool(low <= rejected <= high)
        real.append(rejected)
        stated = made.rate
    assert stated <= (rate or 1 / (parts + 1)) + 1e-12
    # As many as 95 % of 200 are in all but 1 of 1000 cases.
    assert held >= stats.binom.ppf(0.001, CALIBRATIONS, 0.95)
    error = np.std(real) / np.sqrt(CALIBRATIONS)
    assert np.mean(real) <= stated + 3 * error
    if rounded is as_fp32:
        assert np.mean(real) >= stated - 3 * error, "higher than it needs to be"


@pytest.mark.parametrize("parts", [20, 50, 300])
def test_scores_that_all_but_tie_pass(parts: int) -> None:
    scores = [0.25] * (parts - 1) + [0.125]
    made = threshold_for(scores)
    assert made.value > 0.25
    assert made.interval[0] == 0


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (50, "50 parts support 2 %: 1 good part in 51 will be rejected; with 95 % confidence"),
        (50, "show 949 more for 0.1 %"),
        (999, "999 parts support 0.1 %: 1 good part in 1000 will be rejected"),
    ],
)
def test_says_in_plain_words_what_the_parts_support(parts: int, said: str) -> None:
    text = threshold_for(np.linspace(0, 1, parts).tolist()).text
    assert said in text
    assert ("more for" in text) == (parts < 999)


def test_a_rate_too_low_is_refused_with_the_parts_it_takes() -> None:
    with pytest.raises(
        InputError, match=r"50 good parts support .* 1\.96% at best; 1\.00% takes 99"
    ):
        threshold_for(list(range(50)), 0.01)
    assert threshold_for(list(range(99)), 0.01).rate == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([], "good parts: 0"),
        ([1.0], "good parts: 1"),
        ([0.5] * 30, "all 30 good parts have the score 0.5"),
        ([0.5, float("nan")], "not finite"),
    ],
)
def test_what_no_threshold_can_be_made_of_is_refused(scores: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        threshold_for(scores)


def test_a_part_has_the_highest_score_of_its_frames() -> None:
    frames = [("b", 0.5), ("a", 0.1), ("b", 0.7), ("a", -0.3), ("c", 0.2)]
    assert part_scores(frames) == [0.1, 0.2, 0.7]


def test_intervals_of_shares_are_those_of_clopper_and_pearson() -> None:
    for count, of in ((0, 10), (3, 10), (10, 10), (49, 50)):
        known = stats.binomtest(count, of).proportion_ci(0.95, "exact")
        assert share_interval(count, of, 0.95) == pytest.approx((known.low, known.high))


# With defects.


def slow_best(
    good: list[float], bad: list[float], worth: Callable[[int, int], float]
) -> tuple[float, set[tuple[int, int]]]:
    """The best that any threshold reaches, and the (misses, false rejects) that reach it."""
    values = [*good, *bad, max(good + bad) + 1]
    found = {(sum(b < v for b in bad), sum(g >= v for g in good)) for v in values}
    best = max(worth(*pair) for pair in found)
    return best, {pair for pair in found if worth(*pair) == pytest.approx(best)}


_SCORES = st.lists(st.integers(0, 12).map(lambda n: n / 8), min_size=2, max_size=25)


@given(_SCORES.filter(lambda s: len(set(s)) > 1), _SCORES)
def test_f1_is_the_best_there_is(good: list[float], bad: list[float]) -> None:
    def f1(misses: int, rejects: int) -> float:
        found = len(bad) - misses
        return 2 * found / (2 * found + misses + rejects)

    made = threshold_for(good, method=Method.F1, defects=bad)
    assert made.reached is not None
    best, those = slow_best(good, bad, f1)
    assert made.reached.f1 == pytest.approx(best)
    assert (made.reached.false_accepts, made.reached.false_rejects) in those
    # What it says of itself is what comes of it.
    assert made.reached.false_accepts == sum(b < made.value for b in bad)
    assert made.reached.false_rejects == sum(g >= made.value for g in good)


@given(
    _SCORES.filter(lambda s: len(set(s)) > 1),
    _SCORES,
    st.sampled_from([0.1, 1.0, 30.0]),
    st.sampled_from([None, 0.01, 0.5]),
)
def test_cost_is_the_lowest_there_is(
    good: list[float], bad: list[float], ratio: float, share: float | None
) -> None:
    weigh = share if share is not None else len(bad) / (len(good) + len(bad))

    def saved(misses: int, rejects: int) -> float:
        return -(weigh * ratio * misses / len(bad) + (1 - weigh) * rejects / len(good))

    made = threshold_for(good, method=Method.COST, defects=bad, prices=Prices(ratio, share))
    assert made.reached is not None
    assert made.reached.cost is not None
    best, _ = slow_best(good, bad, saved)
    assert -made.reached.cost == pytest.approx(best)
    assert saved(made.reached.false_accepts, made.reached.false_rejects) == pytest.approx(best)


def test_dear_misses_lower_the_threshold() -> None:
    rng = np.random.default_rng(1)
    good, bad = rng.normal(0, 1, 300).tolist(), rng.normal(2, 1, 60).tolist()
    values = [
        threshold_for(good, method=Method.COST, defects=bad, prices=Prices(ratio)).value
        for ratio in (0.1, 1, 10, 100)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 1


def test_recall_is_that_of_the_conformal_threshold() -> None:
    good, bad = np.linspace(0, 1, 99).tolist(), [0.5, 0.98, 1.0, 1.5, 2.0]
    made = threshold_for(good, 0.02, Method.RECALL, defects=bad)
    assert made.value == threshold_for(good, 0.02).value
    assert made.reached is not None
    assert made.reached.recall == 0.6
    assert made.reached.recall_interval == pytest.approx(share_interval(3, 5, 0.95))
    assert "3 of 5 defects are found" in made.text


def test_a_middle_between_neighbours_in_float32_parts_them() -> None:
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2))
    made = threshold_for([0.5, float(low)], method=Method.F1, defects=[float(high)])
    assert low < made.value <= high


@pytest.mark.parametrize(
    ("method", "defects", "prices", "said"),
    [
        (Method.F1, [], None, "takes defects"),
        (Method.RECALL, [], None, "takes defects"),
        (Method.COST, [1.0], None, "what a false accept costs"),
        (Method.COST, [1.0], Prices(0), "cost ratio 0"),
        (Method.COST, [1.0], Prices(1, 1.0), "defect share 1"),
        (Method.F1, [float("inf")], None, "not finite"),
    ],
)
def test_what_a_method_lacks_is_said(
    method: Method, defects: list[float], prices: Prices | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        threshold_for([0.1, 0.2], method=method, defects=defects, prices=prices)
