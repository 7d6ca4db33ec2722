"""A folder of good parts, split and shuffled by seed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import InputError
from models.images import find_images, read_rgb


def digest(path: Path) -> str:
    """Name an image by its content: 16 hex digits of SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class GoodParts:
    """Images of good parts, all of one size, split into those trained on and those held out."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]
    height: int  # pixels
    width: int

    @classmethod
    def split(cls, folder: Path, hold_out: float, seed: int) -> "GoodParts":
        """Split a folder; raises ``InputError`` if it is too small or its sizes differ."""
        if not 0 <= hold_out < 1:
            raise InputError(f"hold-out = {hold_out}: must be 0 or more and below 1")
        paths = find_images(folder)
        held = max(1, round(len(paths) * hold_out))
        if len(paths) - held < 2:
            raise InputError(
                f"{folder}: {len(paths)} images are too few to train on and hold some out;"
                " give at least 4"
            )
        height, width = _one_size(paths)
        order = np.random.default_rng(seed).permutation(len(paths))
        return cls(
            train=tuple(paths[i] for i in sorted(order[held:])),
            held_out=tuple(paths[i] for i in sorted(order[:held])),
            height=height,
            width=width,
        )


def _one_size(paths: list[Path]) -> tuple[int, int]:
    first = read_rgb(paths[0]).shape
    for path in paths[1:]:
        shape = read_rgb(path).shape
        if shape != first:
            raise InputError(
                f"{path}: {shape[1]} x {shape[0]} pixels, but {paths[0].name} has"
                f" {first[1]} x {first[0]}; all images of a camera must have one size"
            )
    return first[0], first[1]


def endless(count: int, seed: int, start: int = 0) -> Iterator[int]:
    """Yield indices below ``count`` for ever, each once an epoch, from the ``start``-th on.

    The order depends on the seed alone, so that a resumed run goes on as it would have.
    """
    epoch, offset = divmod(start, count)
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(count)
        yield from order[offset:].tolist()
        epoch, offset = epoch + 1, 0
