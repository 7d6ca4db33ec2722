"""Tiles in passes of one size, so that no tile's bits depend on which others run beside it."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

#: Tiles a pass. Beyond one the activations leave a CPU's cache; a CUDA device needs many to be busy
#: and to make launches cheap.
AT_ONCE = {"cpu": 1, "cuda": 16}


def passes(tiles: Iterable[Tensor], at_once: int) -> Iterator[tuple[Tensor, int]]:
    """Yield tiles, (3, 256, 256) each, as (at_once, 3, 256, 256), and how many of them are real.

    The last pass is filled with black ones: a library may sum in another order for another size.
    """
    left = iter(tiles)
    while some := list(islice(left, at_once)):
        count = len(some)
        some += [torch.zeros_like(some[0])] * (at_once - count)
        yield laid(torch.stack(some)), count


def laid(tiles: Tensor) -> Tensor:
    """Lay out (N, 3, H, W) in memory as the networks are."""
    return tiles.contiguous(memory_format=torch.channels_last)
