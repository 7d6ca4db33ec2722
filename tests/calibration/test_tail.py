"""A tail is fitted as scipy would, refused where it does not fit, and called an extrapolation."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from calibration.tail import LEAST_P, REACH, Pareto, distance, fit
from calibration.thresholds import threshold_for
from models.errors import InputError
from models.threshold import Method

Floats = NDArray[np.float64]


def drawn(seed: int, parts: int) -> Floats:
    return np.random.default_rng(seed).lognormal(sigma=0.4, size=parts)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_the_fit_finds_the_tail_it_was_drawn_from(shape: float) -> None:
    rng = np.random.default_rng(1)
    samples = stats.genpareto(shape, scale=2.0).rvs((200, 400), random_state=rng)
    found = fit(samples)
    assert np.mean(found.shape) == pytest.approx(shape, abs=0.02)
    assert np.mean(found.scale) == pytest.approx(2.0, rel=0.02)
    # Close to the maximum of the likelihood: no closer than it varies by itself.
    known = stats.genpareto.fit(samples[0], floc=0)
    assert found.shape[0, 0] == pytest.approx(known[0], abs=0.05)


def test_functions_are_scipys() -> None:
    x = np.linspace(0.01, 3, 50)
    for shape in (-0.25, 0.4):
        ours, known = Pareto(np.array(shape), np.array(1.5)), stats.genpareto(shape, scale=1.5)
        assert ours.above(x) == pytest.approx(known.sf(x))
        assert ours.at(np.array([0.5, 0.01])) == pytest.approx(known.isf([0.5, 0.01]))
    ended = Pareto(np.array(-0.5), np.array(1.0))
    assert ended.above(np.array([5.0])) == 0


def test_the_distance_is_that_of_anderson_and_darling() -> None:
    x = np.random.default_rng(2).exponential(size=40)
    u = np.sort(stats.genpareto(0.2, scale=1.3).cdf(x))
    n = len(u)
    total = sum((2 * i + 1) * (np.log(u[i]) + np.log(1 - u[n - 1 - i])) for i in range(n))
    of = Pareto(np.array([[0.2]]), np.array([[1.3]]))
    assert distance(x[None], of)[0] == pytest.approx(-n - total / n)


def test_the_real_rate_is_about_the_stated_one() -> None:
    line, rate = stats.lognorm(0.4), 0.001
    real, held = [], 0
    for seed in range(60):
        try:
            made = threshold_for(drawn(seed, 300).tolist(), rate, Method.TAIL)
        except InputError:
            continue  # one tail in ten seems not to fit
        rejected = float(line.sf(made.value))
        held += made.interval[0] <= rejected <= made.interval[1]
        real.append(rejected)
    assert len(real) >= 50
    assert held >= stats.binom.ppf(0.001, len(real), 0.95)
    assert rate / 2 < np.mean(real) < 2 * rate


def test_it_is_called_an_extrapolation_and_shows_its_fit() -> None:
    made = threshold_for(drawn(0, 300).tolist(), 0.001, Method.TAIL)
    assert made.extrapolated
    assert "0.1 % is an extrapolation: 300 parts support 0.33 % by themselves" in made.text
    assert made.fit is not None
    assert made.fit.exceedances == 75
    assert made.fit.p_value >= LEAST_P
    assert made.interval[0] < 0.001 < made.interval[1]
    assert made.value > max(drawn(0, 300).tolist()) * 0.8


def test_the_same_scores_in_any_order_give_the_same() -> None:
    scores = drawn(1, 300)
    again = np.random.default_rng(9).permutation(scores)
    one, other = (threshold_for(s.tolist(), 0.001, Method.TAIL) for s in (scores, again))
    assert one == other


def test_a_tail_that_is_none_is_refused() -> None:
    """One part in ten is of another kind, far off: no tail goes on from the others to those."""
    rng = np.random.default_rng(3)
    scores = np.concatenate([rng.normal(1, 0.1, 450), rng.normal(4, 0.02, 50)])
    with pytest.raises(InputError, match=r"no generalized Pareto .* show 1999 parts"):
        threshold_for(scores.tolist(), 0.0005, Method.TAIL)
    ties = rng.choice([0.5, 1.0, 1.5], 300)
    with pytest.raises(InputError, match="cannot be extrapolated"):
        threshold_for(ties.tolist(), 0.001, Method.TAIL)


@pytest.mark.parametrize(
    ("parts", "rate", "said"),
    [
        (199, 0.001, "at least 200"),
        (300, 0.01, "by themselves; take method conformal"),
        (300, 0.9 / 301 / REACH, "0.033 % at most; show"),
        (300, None, "name the false reject rate"),
    ],
)
def test_what_cannot_be_extrapolated_is_refused(parts: int, rate: float | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        threshold_for(drawn(0, parts).tolist(), rate, Method.TAIL)
