"""What changes over a run: the learning rate, and what of its elements L_hard looks at."""

import math
from enum import StrEnum


class Schedule(StrEnum):
    COSINE = "cosine"  # warm up over 100 steps, then a cosine to 1 %: for short runs
    STEP = "step"  # constant, a tenth from 95 % of the steps on: the thesis'

    def factor(self, step: int, steps: int) -> float:
        """Give the factor at a step, counted from 0, of so many."""
        if self is Schedule.STEP:
            return 0.1 if step >= math.ceil(0.95 * steps) else 1.0
        warm = min(1.0, (step + 1) / 100)
        return warm * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))


def ramped(quantile: float, step: int, steps: float) -> float:
    """Give the quantile at a step: the share above it falls evenly, by its logarithm, from 1.

    A student that has seen few steps is wrong everywhere, and the largest thousandth of its errors,
    all that L_hard (eq. 4.2) takes, says little of the rest: the background stays untrained. It
    takes the thesis' 70,000 steps to come round to it.
    """
    if step >= steps:
        return quantile
    return min(float(1 - (1 - quantile) ** (step / steps)), quantile)  # 1 - (1 - q) may round up
