"""Normal ranges from the maps of good frames (thesis 4.7)."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bit_histogram import BitHistogram
from models.calibration import HIGH, LOW, MOST_RANK_ERROR, NormalRange, RawMaps, ScaleRange
from models.errors import InputError
from models.quantiles import quantile


def scale_range(scale: str, maps: Iterable[RawMaps]) -> ScaleRange:
    """Give the ranges of one scale's maps over all cells that count.

    Raises ``InputError`` if the frames look the same everywhere.
    """
    counted = [(raw.local[raw.counted], raw.globally[raw.counted]) for raw in maps]
    local, globally = zip(*counted, strict=True)
    return ScaleRange(local=_range(scale, local), globally=_range(scale, globally))


def _range(scale: str, cells: tuple[Tensor, ...]) -> NormalRange:
    values = torch.cat(cells).numpy()
    return normal_range(scale, quantile(values, LOW), quantile(values, HIGH))


def counted_range(
    scale: str, cells: BitHistogram, again: Callable[[], Iterable[NDArray[np.float32]]]
) -> NormalRange:
    """Give the range of all cells that were counted, with the error of its ranks.

    Where that would be more than ``MOST_RANK_ERROR`` the cells are seen once more. Raises
    ``InputError`` if the frames look the same everywhere.
    """
    (q_a, missed_a), (q_b, missed_b) = cells.quantile(LOW), cells.quantile(HIGH)
    if missed_a > MOST_RANK_ERROR:
        q_a, missed_a = cells.resolve(LOW, again()), 0.0
    if missed_b > MOST_RANK_ERROR:
        q_b, missed_b = cells.resolve(HIGH, again()), 0.0
    return normal_range(scale, q_a, q_b, max(missed_a, missed_b))


def normal_range(scale: str, q_a: float, q_b: float, rank_error: float = 0.0) -> NormalRange:
    """Give the range between two quantiles; raises ``InputError`` if they are the same."""
    if not q_b > q_a:
        raise InputError(
            f"scale {scale}: the good frames look the same everywhere (quantiles {q_a:.4g} and"
            f" {q_b:.4g}); show good parts, neither black nor overexposed"
        )
    return NormalRange(q_a=q_a, q_b=q_b, rank_error=rank_error)
