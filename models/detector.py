"""The detector of one scale: teacher, student and autoencoder; tiles in, two maps out."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.autoencoder import autoencoder
from models.pdn import CHANNELS, PdnSize, pdn

#: ImageNet mean and deviation of RGB in [0, 1], what every backbone and teacher here was fed.
INPUT_MEAN = (0.485, 0.456, 0.406)
INPUT_STD = (0.229, 0.224, 0.225)


class Maps(NamedTuple):
    """What a detector says of a batch of tiles, both of shape (N, 56, 56), float32."""

    local: Tensor  # student against teacher
    globally: Tensor  # student against autoencoder


def off_by(found: Iterable[Tensor], wanted: Iterable[Tensor]) -> float:
    """Give how far maps are from others, as a share of their largest value; NaN if one is."""
    shares = [(m - its).abs().max() / its.abs().max() for m, its in zip(found, wanted, strict=True)]
    return float(torch.stack(shares).max())  # unlike Python's max, which may lose a NaN


class InputNorm(nn.Module):
    """RGB in [0, 1] to zero mean and unit deviation on ImageNet."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(INPUT_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(INPUT_STD).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Teacher(nn.Module):
    """A PDN whose channels are normalized by their mean and deviation on good images.

    State: ``net.*`` and the buffers ``mean``, ``std`` of shape (channels,). The identity until
    ``set_statistics`` has been called.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Sequential, channels: int = CHANNELS) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set the channels' mean and deviation, both of shape (channels,)."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 3, H, W), normalized by ``InputNorm``, to (N, channels, h, w) float32."""
        features: Tensor = self.net(images).float()
        return (features - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)


class Networks(nn.Module):
    """Whatever makes tiles of RGB in [0, 1], (N, 3, 256, 256), into ``Maps``."""

    norm: InputNorm

    def forward(self, tiles: Tensor) -> Maps:
        images = self.norm(tiles)
        local, follows = self.against_teacher(images)
        return Maps(local, self.against_autoencoder(images, follows))

    def on_threads(self, threads: int) -> "Networks":
        """Give these networks on so many threads, where they and not torch decide it."""
        return self

    def prepare(self, *, overlapping: bool) -> None:
        """Do now what the first call would; ``overlapping``: for tiles closer than they abut."""

    def against_teacher(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Give the local map, (N, h, w) float32, and what of the student follows the autoencoder.

        Images, (N, 3, H, W), are normalized by ``norm``; the second is (N, k, h, w).
        """
        raise NotImplementedError

    def against_autoencoder(self, images: Tensor, follows: Tensor) -> Tensor:
        """Give the global map of tiles, (N, 56, 56) float32."""
        raise NotImplementedError


class Detector(Networks):
    """All channels of all networks: what is trained, and what every engine is held against.

    The student's first half of channels follows the teacher, its second the autoencoder
    (thesis 4.5). Networks are passed in; losses are training's.
    """

    def __init__(self, teacher: Teacher, student: nn.Sequential, autoencoder: nn.Module) -> None:
        super().__init__()
        self.norm = InputNorm()
        self.teacher = teacher
        self.student = student
        self.autoencoder = autoencoder

    def against_teacher(self, images: Tensor) -> tuple[Tensor, Tensor]:
        follows_teacher, follows_autoencoder = self.student(images).chunk(2, dim=1)
        local = (self.teacher(images) - follows_teacher.float()).square().mean(dim=1)
        return local, follows_autoencoder

    def against_autoencoder(self, images: Tensor, follows: Tensor) -> Tensor:
        predicted: Tensor = self.autoencoder(images).float()
        return (predicted - follows.float()).square().mean(dim=1)


def build_teacher(size: PdnSize, channels: int = CHANNELS, *, padding: bool = False) -> Teacher:
    """Build a teacher with random weights."""
    return Teacher(pdn(size, channels, padding=padding), channels)


def build_detector(teacher: Teacher, size: PdnSize, channels: int = CHANNELS) -> Detector:
    """Build a detector around a teacher, with a student and autoencoder of random weights."""
    return Detector(teacher, pdn(size, 2 * channels), autoencoder(channels))
