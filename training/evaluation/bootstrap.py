"""Confidence intervals by resampling parts: the percentile bootstrap (Efron, 1979)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrap:
    resamples: int = 1000
    seed: int = 0
    level: float = 0.95  # of the intervals


@dataclass(frozen=True, eq=False)
class Parts:
    """Which images show one part. A part is defective if one of its images is."""

    of_image: NDArray[np.int64]  # (images,): the part's number
    defective: NDArray[np.bool_]  # (parts,)

    @classmethod
    def of(cls, names: Sequence[Hashable], defective: NDArray[np.bool_]) -> "Parts":
        """Number the parts, in the order in which they are first seen."""
        numbers = {name: n for n, name in enumerate(dict.fromkeys(names))}
        of_image = np.array([numbers[name] for name in names], np.int64)
        bad = np.zeros(len(numbers), np.bool_)
        np.logical_or.at(bad, of_image, defective)
        return cls(of_image, bad)

    def highest(self, scores: _Floats) -> _Floats:
        """Give each part's score: the highest of its images' (images,) -> (parts,)."""
        found = np.full(len(self.defective), -np.inf)
        np.maximum.at(found, self.of_image, scores)
        return found

    def resampled(self, how: Bootstrap) -> _Floats:
        """Give how often each part is drawn, (resamples, parts).

        Good and defective parts are drawn apart, each as many as there are, so that a resample has
        the shares of the test set. The views of a part come and go together: they are not
        independent. The same parts in the same order give the same draws.
        """
        random = np.random.default_rng(how.seed)
        drawn = np.zeros((how.resamples, len(self.defective)))
        for kind in (False, True):
            (which,) = np.nonzero(self.defective == kind)
            if len(which):
                share = np.full(len(which), 1 / len(which))
                drawn[:, which] = random.multinomial(len(which), share, size=how.resamples)
        return drawn


def interval(values: _Floats, how: Bootstrap) -> tuple[float, float] | None:
    """Give the middle of the resampled values, (resamples,), that the level asks for.

    Resamples without a value are left out; None if that is more than a tenth of them.
    """
    defined = values[~np.isnan(values)]
    if len(defined) < 0.9 * len(values) or not len(defined):
        return None
    tail = (1 - how.level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
