"""Distillation of a backbone into a small teacher (thesis algorithm 1)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detector import InputNorm
from models.errors import InputError
from models.images import find_images, read_rgb, to_tensor
from models.pdn import PdnSize, pdn
from models.precision import autocast
from training.backbones import INPUT, Backbone
from training.checkpoint import Checkpoint
from training.datasets import endless
from training.loop import check_schedule
from training.statistics import channel_statistics

#: Natural images kept out of training, to measure the loss on.
HELD_OUT = 32
#: Images whose features give the channels' mean and deviation (algorithm 1, step 7).
STATISTICS = 200
GRAYSCALE = 0.3  # probability


@dataclass(frozen=True)
class DistillSettings:
    images: Path
    size: PdnSize = PdnSize.SMALL
    steps: int = 60_000
    batch: int = 16
    rate: float = 1e-4
    seed: int = 0
    checkpoint_every: int = 100  # steps

    def __post_init__(self) -> None:
        check_schedule(self.steps, self.rate, self.seed)
        if self.batch < 1:
            raise InputError(f"batch = {self.batch}: must be 1 or more")


@dataclass(frozen=True)
class Distilled:
    net: nn.Sequential  # without padding, as detection uses it
    images: int
    steps: int
    loss: float  # mean of the last steps
    held_out_loss: float  # mean squared error of standardized features, 1 is knowing nothing


Progress = Callable[[int, float], None]


def view(image: Tensor, random: np.random.Generator) -> Tensor:
    """Cut a random square of (3, H, W), flip it, make it grey at times: (3, 512, 512)."""
    _, height, width = image.shape
    side = max(32, int(min(height, width) * random.uniform(0.6, 1.0)))
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    square = image[:, top : top + side, left : left + side]
    if random.random() < 0.5:
        square = square.flip(2)
    if random.random() < GRAYSCALE:
        square = square.mean(dim=0, keepdim=True).expand(3, -1, -1)
    return functional.interpolate(
        square[None], size=(INPUT, INPUT), mode="bilinear", align_corners=False, antialias=True
    )[0]


def half(images: Tensor) -> Tensor:
    """Give the teacher its 256 x 256 of the backbone's 512 x 512 (steps 2 and 3)."""
    return functional.avg_pool2d(images, 2)


class Distillation:
    """The state of a distillation: it goes on from its checkpoint where there is one."""

    def __init__(
        self,
        settings: DistillSettings,
        backbone: Backbone,
        start: dict[str, Tensor] | None,
        checkpoint: Checkpoint,
    ) -> None:
        """Take where to start, or None for random weights.

        Raises ``InputError`` for an image folder that is empty, small or unreadable.
        """
        torch.manual_seed(settings.seed)
        self._settings = settings
        self._backbone = backbone
        self._checkpoint = checkpoint
        self._norm = InputNorm()
        paths = find_images(settings.images)
        self._held_out = paths[:: max(1, len(paths) // HELD_OUT)][:HELD_OUT]
        kept = set(self._held_out)
        self.paths = [p for p in paths if p not in kept] or self._held_out
        self._net = pdn(settings.size, padding=True).to(memory_format=torch.channels_last)
        if start is not None:
            self._net.load_state_dict(start)
        self._optimizer = torch.optim.Adam(
            self._net.parameters(), lr=settings.rate, weight_decay=1e-5
        )
        self.losses: list[float] = []
        if saved := checkpoint.load():
            self._net.load_state_dict(saved["net"])
            self._optimizer.load_state_dict(saved["optimizer"])
            self._mean, self._std = saved["mean"], saved["std"]
            self.losses = list(saved["losses"])
        else:
            self._mean, self._std = self._statistics()
        self._order = endless(len(self.paths), settings.seed, len(self.losses) * settings.batch)

    def step(self) -> float:
        """Train on one batch (steps 18 to 28); give its loss."""
        settings, number = self._settings, len(self.losses)
        first = 1 + number * settings.batch
        images = torch.stack(
            [self._view(self.paths[next(self._order)], first + i) for i in range(settings.batch)]
        ).contiguous(memory_format=torch.channels_last)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.rate * _schedule(number, settings.steps)
        with autocast():
            features = self._net(half(images))
        loss = functional.mse_loss(features.float(), self._target(images))
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.losses.append(loss.item())
        return self.losses[-1]

    def save(self) -> None:
        self._checkpoint.save(
            {
                "net": self._net.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "mean": self._mean,
                "std": self._std,
                "losses": self.losses,
            }
        )

    def held_out_loss(self) -> float:
        """Measure the loss on images that were never trained on, the same views each time."""
        errors = []
        with torch.no_grad(), autocast():
            for number, path in enumerate(self._held_out):
                images = self._view(path, number)[None]
                features = self._net(half(images)).float()
                errors.append(functional.mse_loss(features, self._target(images)).item())
        return sum(errors) / len(errors)

    def teacher(self) -> nn.Sequential:
        """Give the teacher as detection uses it, without padding."""
        plain = pdn(self._settings.size)
        plain.load_state_dict(self._net.state_dict())
        return plain

    def _view(self, path: Path, stream: int) -> Tensor:
        random = np.random.default_rng((self._settings.seed, stream))
        normalized: Tensor = self._norm(view(to_tensor(read_rgb(path)), random))
        return normalized

    def _statistics(self) -> tuple[Tensor, Tensor]:
        some = self.paths[:: max(1, len(self.paths) // STATISTICS)]
        with torch.no_grad(), autocast():
            return channel_statistics(
                self._backbone(self._view(path, i)[None]) for i, path in enumerate(some)
            )

    def _target(self, images: Tensor) -> Tensor:
        """Give the backbone's features, each channel standardized (steps 21 and 22)."""
        with torch.no_grad(), autocast():
            features = self._backbone(images.contiguous(memory_format=torch.channels_last))
        scaled = (features.double() - self._mean.view(-1, 1, 1)) / self._std.view(-1, 1, 1)
        return torch.as_tensor(scaled, dtype=torch.float32)


def distill(
    settings: DistillSettings,
    backbone: Backbone,
    start: dict[str, Tensor] | None,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Distilled:
    """Distil to the end, from ``start`` or at random, or from the checkpoint.

    Raises ``InputError`` for an image folder that is empty, small or unreadable.
    """
    state = Distillation(settings, backbone, start, checkpoint)
    for number in range(len(state.losses) + 1, settings.steps + 1):
        progress(number, state.step())
        if number % settings.checkpoint_every == 0 or number == settings.steps:
            state.save()
    recent = state.losses[-500:] or [math.nan]
    return Distilled(
        net=state.teacher(),
        images=len(state.paths),
        steps=settings.steps,
        loss=sum(recent) / len(recent),
        held_out_loss=state.held_out_loss(),
    )


def _schedule(step: int, steps: int) -> float:
    """Warm up over 50 steps, hold, and come down by a cosine over the last third."""
    tail = max(0.0, (step / steps - 2 / 3) * 3)
    return min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * tail)) + 1e-3
