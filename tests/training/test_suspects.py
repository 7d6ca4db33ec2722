"""Scores that stand out name their images, and usual ones do not."""

import numpy as np

from training.suspects import outstanding


def test_one_among_many_stands_out() -> None:
    scores = np.random.default_rng(0).normal(0.1, 0.02, 50)
    scores[[7, 30]] = 0.4, 0.5
    assert outstanding(scores.tolist()) == [30, 7]


def test_a_long_tail_is_usual() -> None:
    """Of 4000 maxima of normal maps, as scores are, in 20 sets, hardly one stands out."""
    random = np.random.default_rng(0)
    found = [
        outstanding(random.exponential(1.0, (200, 3136)).max(axis=1).tolist()) for _ in range(20)
    ]
    assert sum(map(len, found)) <= 2


def test_a_low_score_is_no_suspect() -> None:
    assert outstanding([1.0, 1.1, 0.9, 1.0, 1.05, 0.001, -9.0]) == []


def test_among_a_few_none_stands_out() -> None:
    assert outstanding([0.1, 0.1, 9.0]) == []
    assert outstanding([]) == []
