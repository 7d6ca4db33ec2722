"""Augmentation: one random choice of three of appearance (thesis 4.1.3), and turns (5.1)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.images import luma

Augmentation = Callable[[Tensor, np.random.Generator], Tensor]

_BLUR = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13


def colour_jitter(image: Tensor, random: np.random.Generator) -> Tensor:
    """Change brightness, contrast or saturation of (3, H, W) RGB in [0, 1] by up to a fifth."""
    factor = random.uniform(0.8, 1.2)
    grey = luma(image)[None]
    kind = random.integers(3)
    anchor = (torch.zeros_like(grey), grey.mean().expand_as(grey), grey)[kind]
    return (anchor + (image - anchor) * factor).clamp(0, 1)


def sharpness(image: Tensor, random: np.random.Generator) -> Tensor:
    """Blur or sharpen (3, H, W)."""
    kernel = _BLUR.expand(3, 1, 3, 3)
    blurred = functional.conv2d(
        functional.pad(image[None], (1, 1, 1, 1), mode="replicate"), kernel, groups=3
    )[0]
    return (blurred + (image - blurred) * random.uniform(0.0, 2.0)).clamp(0, 1)


def gamma(image: Tensor, random: np.random.Generator) -> Tensor:
    """Raise (3, H, W) to a power."""
    return image.pow(random.uniform(0.8, 1.25))


CHOICES: tuple[Augmentation, ...] = (colour_jitter, sharpness, gamma)


def augment(image: Tensor, random: np.random.Generator) -> Tensor:
    """Apply one of the three to (3, H, W) RGB in [0, 1]."""
    return CHOICES[random.integers(len(CHOICES))](image, random)


#: Ways to lay a square tile: quarter turns, each of them mirrored or not.
TURNS = 8


def turned(image: Tensor, turn: int) -> Tensor:
    """Lay (3, s, s) in one of ``TURNS`` ways; 0 leaves it as it is."""
    if not turn:
        return image
    quarters, mirrored = turn % 4, turn >= 4
    return torch.rot90(image.flip(2) if mirrored else image, quarters, (1, 2)).contiguous()
