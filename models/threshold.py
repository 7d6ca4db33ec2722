"""Thresholds from the scores of good parts alone, with the false reject rate they support."""

import math
from collections.abc import Sequence

import numpy as np

from models.errors import InputError


def default_rate(parts: int) -> float:
    """Give the lowest false reject rate that so many parts support, but no less than 0.1 %."""
    return max(0.001, 1 / (parts + 1))


def rank(parts: int, rate: float) -> int:
    """Give which of so many sorted scores rejects a new good part with at most this probability.

    It is ceil((parts + 1)(1 - rate)), from 1 (split conformal prediction: exact if parts are
    exchangeable). Raises ``InputError`` if so few parts cannot support the rate.
    """
    if not 0 < rate < 1:
        raise InputError(f"false reject rate {rate}: must be above 0 and below 1")
    # The small steps down forgive rates such as 1 / (n + 1) their rounding.
    found = math.ceil((parts + 1) * (1 - rate) - 1e-9)
    if found > parts:
        needed = math.ceil(1 / rate - 1 - 1e-9)
        raise InputError(
            f"{parts} good parts support a false reject rate of {1 / (parts + 1):.2%} at best;"
            f" {rate:.2%} takes {needed} parts"
        )
    return max(found, 1)


def threshold(scores: Sequence[float], rate: float) -> float:
    """Give the threshold that rejects a new good part with at most this probability.

    The score at ``rank``, moved up by one float32 so that a score equal to it passes. Raises
    ``InputError`` if so few scores cannot support the rate.
    """
    value = np.sort(np.asarray(scores, dtype=np.float32))[rank(len(scores), rate) - 1]
    return float(np.nextafter(value, np.float32(np.inf)))
