"""Backbones by name."""

import hashlib
from pathlib import Path

from torch import nn

from models.errors import InputError
from models.pdn import CHANNELS
from training.backbones.pooling import PooledFeatures
from training.backbones.residual import WEIGHTS, residual
from training.backbones.vit import TIMM, vit

NAMES = (*WEIGHTS, *TIMM)


def backbone(name: str, weights: Path | None = None, channels: int = CHANNELS) -> PooledFeatures:
    """Load a backbone with features of so many channels, from a file or as its library has it.

    Raises ``InputError`` for an unknown name, a file that is missing or of another network, or
    weights that are not here and cannot be downloaded.
    """
    if name not in NAMES:
        raise InputError(f"{name}: no such backbone; allowed are {' '.join(NAMES)}")
    if channels < 1:
        raise InputError(f"channels = {channels}: must be 1 or more; 384 is usual")
    load = residual if name in WEIGHTS else vit
    return load(name, weights, channels).eval().requires_grad_(False)


def fingerprint(net: nn.Module) -> str:
    """Name a network's weights by their values: 16 hex digits of SHA-256."""
    found = hashlib.sha256()
    for key, value in sorted(net.state_dict().items()):
        if not value.is_floating_point():  # a count of batches, which not every file has
            continue
        found.update(key.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
