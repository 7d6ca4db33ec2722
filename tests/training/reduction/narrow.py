"""Detectors with the PDN's layers, narrow enough for quick tests."""

import torch
from torch import Tensor, nn

from models.autoencoder import autoencoder
from models.detector import Detector, Teacher

CHANNELS = 48


def narrow_pdn(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 32, 4),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(32, 64, 4),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, channels, 4),
    )


def narrow_detector(seed: int, *, student_off: float = 0.3) -> Detector:
    """A random teacher, and a student that is the teacher but for a share of its weights."""
    torch.manual_seed(seed)
    teacher = Teacher(narrow_pdn(CHANNELS), CHANNELS)
    student, coder = narrow_pdn(2 * CHANNELS), autoencoder(CHANNELS)
    with torch.no_grad():
        for its, mine in zip(teacher.net.parameters(), student.parameters(), strict=True):
            noise = torch.randn_like(its) * its.std()
            first = mine[: len(its)]
            first.copy_((its + student_off * noise) / (1 + student_off**2) ** 0.5)
        teacher.set_statistics(torch.randn(CHANNELS) / 10, torch.rand(CHANNELS) / 10 + 0.05)
    return Detector(teacher, student, coder).eval().requires_grad_(False)


def convolutions(net: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]


def share_off(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())
