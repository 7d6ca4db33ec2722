"""Normal ranges from the maps of good frames (thesis 4.7)."""

from collections.abc import Iterable

import torch
from torch import Tensor

from models.calibration import HIGH, LOW, NormalRange, RawMaps, ScaleRange
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
    q_a, q_b = quantile(values, LOW), quantile(values, HIGH)
    if not q_b > q_a:
        raise InputError(
            f"scale {scale}: the good frames look the same everywhere (quantiles {q_a:.4g} and"
            f" {q_b:.4g}); show good parts, neither black nor overexposed"
        )
    return NormalRange(q_a=q_a, q_b=q_b)
