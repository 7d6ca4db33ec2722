"""Learning rate schedules: the rate's factor at a step."""

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
