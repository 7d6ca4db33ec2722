"""Thin networks with a PDN's geometry, drawn images, and what trains on them, for the tests."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from models.detector import Detector, Teacher

CHANNELS = 3


def thin_pdn(channels: int) -> nn.Sequential:
    """As a PDN: cell i sees pixels 4 i to 4 i + 32, so that 256 pixels give 56 cells."""
    return nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Conv2d(4, channels, 8))


def thin_autoencoder() -> nn.Sequential:
    """As an autoencoder, with dropout, but local."""
    return nn.Sequential(
        nn.AvgPool2d(4), nn.Conv2d(3, 4, 9), nn.Dropout(0.2), nn.Conv2d(4, CHANNELS, 1)
    )


def new_detector() -> Detector:
    torch.manual_seed(5)
    teacher = Teacher(thin_pdn(CHANNELS), CHANNELS).requires_grad_(False)
    return Detector(teacher, thin_pdn(2 * CHANNELS), thin_autoencoder())


def draw_images(folder: Path, count: int, height: int, width: int) -> list[Path]:
    """Write images of noise, one brighter than the other."""
    random = np.random.default_rng(0)
    paths = []
    for place in range(count):
        image = random.integers(0, 60 + 35 * place, (height, width, 3), np.uint8)
        paths.append(folder / f"{place}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths
