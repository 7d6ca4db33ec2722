"""How far a rate that was stated or counted may lie from the real one."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Interval = tuple[float, float]


def share_interval(count: int, of: int, confidence: float) -> Interval:
    """Give the interval of Clopper and Pearson (1934) for a share of which so many were counted."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(count, of - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return low, high


def reject_interval(scores: NDArray[np.float32], k: int, confidence: float) -> Interval:
    """Give what the real reject rate of a threshold just above the ``k``-th sorted score lies in.

    Of scores without ties the rate is Beta(n + 1 - k, k)-distributed, over samples of n: that of
    the k-th of n uniform values. Where scores tie, they are rounded, and the real rate may be
    lower: of k' scores not above the threshold it is at least Beta(n - k', k' + 1)-distributed. The
    lower end is then taken from that; it is 0 if no score is above.
    """
    n, tail = len(scores), (1 - confidence) / 2
    high = float(betaincinv(n + 1 - k, k, 1 - tail)) if k else 1.0
    if len(np.unique(scores)) == n:
        low = float(betaincinv(n + 1 - k, k, tail)) if k else 1.0
    else:
        passing = int(np.count_nonzero(scores <= scores[k - 1])) if k else 0
        low = float(betaincinv(n - passing, passing + 1, tail)) if passing < n else 0.0
    return min(low, high), high
