"""Networks of few channels with the PDN's geometry, and bundles around them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.bundle import Bundle, HashedFile, Input, Manifest, ScaleEntry
from models.detector import Detector, Teacher

CHANNELS = 3


def thin_pdn(channels: int) -> nn.Sequential:
    """The PDN's kernels and strides, cheap enough for large frames."""
    return nn.Sequential(
        nn.Conv2d(3, 2, 4),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(2, 2, 4),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(2, 2, 3),
        nn.ReLU(),
        nn.Conv2d(2, channels, 4),
    )


class ThinAutoencoder(nn.Module):
    """Each channel an affine map of the whole tile's mean and of the place in it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(3, channels)
        self.place = nn.Parameter(torch.randn(channels, 56, 56))

    def forward(self, images: Tensor) -> Tensor:
        mixed: Tensor = self.mix(images.mean(dim=(2, 3)))
        return mixed[:, :, None, None] + self.place


@pytest.fixture(scope="session")
def thin_detector() -> Callable[[int], Detector]:
    """Make a detector of a seed, with three channels."""

    def make(seed: int) -> Detector:
        torch.manual_seed(seed)
        teacher = Teacher(thin_pdn(CHANNELS), CHANNELS)
        teacher.set_statistics(torch.randn(CHANNELS), torch.rand(CHANNELS) + 0.5)
        detector = Detector(teacher, thin_pdn(2 * CHANNELS), ThinAutoencoder(CHANNELS))
        return detector.eval().requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def bundle_of() -> Callable[[Mapping[str, Detector], int, int], Bundle]:
    """Make a bundle in memory of detectors, one a scale, for frames of a height and width."""

    def make(detectors: Mapping[str, Detector], height: int, width: int) -> Bundle:
        file = HashedFile(name="none", sha256="0" * 64)
        manifest = Manifest.model_construct(
            input=Input(height=height, width=width),
            scales=tuple(
                ScaleEntry.model_validate({"name": name, "student": file, "autoencoder": file})
                for name in detectors
            ),
        )
        return Bundle(
            path=Path("in memory"),
            manifest=manifest,
            sha256="0" * 64,
            detectors=dict(detectors),
            reference=torch.zeros(3, height, width),
            reference_maps={},
        )

    return make
