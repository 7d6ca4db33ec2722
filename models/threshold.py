"""Thresholds from the scores of good parts alone, with the false reject rate they support."""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from pydantic import Field, model_validator

from models.errors import InputError
from models.records import Record

#: The lowest rate that is taken where none is asked for.
LEAST_RATE = 0.001
#: With this probability the real rate of a threshold made this way lies in the stated interval.
CONFIDENCE = 0.95


class Method(StrEnum):
    """How a threshold was made."""

    CONFORMAL = "conformal"  # an order statistic of good parts
    TAIL = "tail"  # a generalized Pareto tail fitted to good parts: an extrapolation
    F1 = "f1"  # best F1 on good parts and defects
    RECALL = "recall"  # conformal, with the recall it reaches on defects
    COST = "cost"  # lowest cost on good parts and defects


class TailFit(Record):
    """A generalized Pareto distribution of the scores above ``above``."""

    above: float
    exceedances: int = Field(ge=1)
    shape: float  # below 0: the scores end somewhere
    scale: float = Field(gt=0)
    distance: float  # Anderson-Darling, of the exceedances and the fit
    p_value: float = Field(ge=0, le=1)  # of that distance, by parametric bootstrap


class Reached(Record):
    """What a threshold reaches on the defects and good parts it was made with."""

    defects: int = Field(ge=1)
    false_accepts: int = Field(ge=0)  # defects below the threshold
    false_rejects: int = Field(ge=0)  # good parts at or above it
    recall: float = Field(ge=0, le=1)
    recall_interval: tuple[float, float]  # Clopper-Pearson, at the threshold's confidence
    precision: float | None  # None: nothing was rejected
    f1: float = Field(ge=0, le=1)
    cost: float | None = None  # a part, in false rejects; of method cost alone
    cost_ratio: float | None = None  # what a false accept costs, in false rejects
    defect_share: float | None = None  # of the line's parts, that the cost is weighed by


class Threshold(Record):
    """A threshold and what it promises: a score at or above ``value`` is FAIL."""

    value: float
    method: Method
    rate: float = Field(gt=0, le=1)  # of good parts that will be rejected, in expectation at most
    interval: tuple[float, float]  # that the real rate lies in, at ``confidence``
    confidence: float = Field(default=CONFIDENCE, gt=0, lt=1)
    parts: int = Field(ge=1)  # good ones
    extrapolated: bool = False  # the rate is lower than the parts support by themselves
    fit: TailFit | None = None
    reached: Reached | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Threshold":
        low, high = self.interval
        if not 0 <= low <= high <= 1:
            raise ValueError("interval must be two rates in order")
        if (
            self.extrapolated != (self.method is Method.TAIL)
            or (self.fit is None) == self.extrapolated
        ):
            raise ValueError("method tail, a fit and extrapolated go together")
        return self

    @property
    def text(self) -> str:
        """Say in plain words what the parts support, for the process engineer."""
        return "; ".join(_sentences(self))


def default_rate(parts: int) -> float:
    """Give the lowest false reject rate that so many parts support, but no less than 0.1 %."""
    return max(LEAST_RATE, 1 / (parts + 1))


def parts_for(rate: float) -> int:
    """Give how many good parts a false reject rate takes."""
    # The small step down forgives rates such as 1 / (n + 1) their rounding.
    return max(1, math.ceil(1 / rate - 1 - 1e-9))


def rank(parts: int, rate: float) -> int:
    """Give which of so many sorted scores rejects a new good part with at most this probability.

    It is ceil((parts + 1)(1 - rate)), from 1 (split conformal prediction: exact if parts are
    exchangeable). Raises ``InputError`` if so few parts cannot support the rate.
    """
    if not 0 < rate < 1:
        raise InputError(f"false reject rate {rate}: must be above 0 and below 1")
    found = math.ceil((parts + 1) * (1 - rate) - 1e-9)  # as in ``parts_for``
    if found > parts:
        raise InputError(
            f"{parts} good parts support a false reject rate of {1 / (parts + 1):.2%} at best;"
            f" {rate:.2%} takes {parts_for(rate)} parts"
        )
    return max(found, 1)


def threshold(scores: Sequence[float], rate: float) -> float:
    """Give the threshold that rejects a new good part with at most this probability.

    The score at ``rank``, moved up by one float32 so that a score equal to it passes. Raises
    ``InputError`` if so few scores cannot support the rate.
    """
    value = np.sort(np.asarray(scores, dtype=np.float32))[rank(len(scores), rate) - 1]
    return float(np.nextafter(value, np.float32(np.inf)))


def percent(rate: float) -> str:
    """Write a rate with two significant digits: 2 %, 0.1 %, 0.013 %; 0 % below 0.0001 %."""
    return f"{float(f'{100 * rate:.2g}'):g} %" if rate >= 1e-6 else "0 %"


def _sentences(of: Threshold) -> list[str]:
    low, high = (percent(rate) for rate in of.interval)
    said = []
    if of.extrapolated:
        said.append(
            f"{percent(of.rate)} is an extrapolation: {of.parts} parts support"
            f" {percent(1 / (of.parts + 1))} by themselves"
        )
    else:
        said.append(
            f"{of.parts} parts support {percent(1 / (of.parts + 1))}:"
            f" {_one_in(of.rate)} will be rejected"
        )
    said.append(f"with {percent(of.confidence)} confidence {low} to {high} of the good parts")
    missing = parts_for(LEAST_RATE) - of.parts
    if missing > 0:
        said.append(f"show {missing} more for {percent(LEAST_RATE)}")
    if of.reached is not None:
        reached = of.reached
        found = reached.defects - reached.false_accepts
        said.append(f"{found} of {reached.defects} defects are found")
    return said


def _one_in(rate: float) -> str:
    """Say a rate as 1 in so many, where that is what it is; else as a share."""
    many = 1 / rate
    if many >= 2 and abs(many - round(many)) < 0.05 * many:
        return f"1 good part in {round(many)}"
    return f"{percent(rate)} of the good parts"
