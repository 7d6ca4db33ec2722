"""The precisions that networks run in, and what each may differ from fp32 by."""

from contextlib import AbstractContextManager
from enum import StrEnum

import torch


class Precision(StrEnum):
    FP32 = "fp32"  # whole layers: what all else is held against
    REDUCED = "reduced"  # fp32, and layers as thin as the bundle has them (``models.reduced``)
    BF16 = "bf16"  # and layers as thin


#: Largest difference to the fp32 reference maps that an engine may show, as a share of the
#: reference map's largest value. fp32 differs by the order of sums; bf16 has 8 bits of mantissa.
TOLERANCE = {Precision.FP32: 1e-3, Precision.REDUCED: 5e-2, Precision.BF16: 5e-2}


def has_bf16(device: str = "cpu") -> bool:
    """Say whether the device computes bf16 products itself: a CPU by AVX-512 BF16 or AMX."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def fastest_precision(device: str = "cpu") -> Precision:
    """Give what the device is fastest in."""
    return Precision.BF16 if has_bf16(device) else Precision.REDUCED


def autocast(device: str = "cpu", *, enabled: bool | None = None) -> AbstractContextManager[object]:
    """Compute in bf16, by default where that is faster; else leave fp32 alone."""
    use = has_bf16(device) if enabled is None else enabled
    return torch.autocast(device, dtype=torch.bfloat16, enabled=use)
