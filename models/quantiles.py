"""Exact quantiles of normal maps and scores."""

import numpy as np
from numpy.typing import ArrayLike


def quantile(values: ArrayLike, probability: float) -> float:
    """Give the smallest value that at least this share of all values does not exceed.

    An order statistic: never a value that was not seen, whatever the order of the values.
    """
    flat = np.asarray(values, dtype=np.float32).ravel()
    if not flat.size:
        raise ValueError("no values")
    rank = int(np.ceil(probability * flat.size))
    place = min(max(rank, 1), flat.size) - 1
    return float(np.partition(flat, place)[place])
