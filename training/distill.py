"""Distillation of a backbone into a small teacher (thesis algorithm 1)."""

import math
from collections.abc import Callable, Iterator
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


def channel_statistics(backbone: Backbone, views: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """Give mean and deviation of each feature channel, both (384,), in float64 (steps 5 to 11)."""
    count = 0
    total = torch.zeros((), dtype=torch.float64)
    squares = torch.zeros((), dtype=torch.float64)
    for images in views:
        features = backbone(images).double()
        count += features.numel() // features.shape[1]
        total = total + features.sum(dim=(0, 2, 3))
        squares = squares + features.square().sum(dim=(0, 2, 3))
    mean = total / count
    return mean, (squares / count - mean.square()).sqrt()


def distill(
    settings: DistillSettings,
    backbone: Backbone,
    start: dict[str, Tensor] | None,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Distilled:
    """Distil, from ``start`` or at random, going on from the checkpoint where there is one.

    Raises ``InputError`` for an image folder that is empty, small or unreadable.
    """
    torch.manual_seed(settings.seed)
    paths = find_images(settings.images)
    held_out, paths = paths[:: max(1, len(paths) // HELD_OUT)][:HELD_OUT], paths
    kept = set(held_out)
    paths = [p for p in paths if p not in kept] or held_out
    norm = InputNorm()
    net = pdn(settings.size, padding=True).to(memory_format=torch.channels_last)
    if start is not None:
        net.load_state_dict(start)
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.rate, weight_decay=1e-5)

    def load(path: Path, stream: int) -> Tensor:
        random = np.random.default_rng((settings.seed, stream))
        normalized: Tensor = norm(view(to_tensor(read_rgb(path)), random))
        return normalized

    with torch.no_grad(), autocast():
        some = paths[:: max(1, len(paths) // STATISTICS)]
        saved = checkpoint.load()
        if saved is None:
            mean, std = channel_statistics(backbone, (load(p, i)[None] for i, p in enumerate(some)))
        else:
            mean, std = saved["mean"], saved["std"]
            net.load_state_dict(saved["net"])
            optimizer.load_state_dict(saved["optimizer"])
        done = int(saved["step"]) if saved else 0

    def standardized(images: Tensor) -> Tensor:
        with torch.no_grad(), autocast():
            features = backbone(images.contiguous(memory_format=torch.channels_last))
        scaled = (features.double() - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
        return torch.as_tensor(scaled, dtype=torch.float32)

    order = endless(len(paths), settings.seed, start=done * settings.batch)
    losses: list[float] = list(saved["losses"]) if saved else []
    for step in range(done, settings.steps):
        first = 1 + step * settings.batch
        images = torch.stack(
            [load(paths[next(order)], first + i) for i in range(settings.batch)]
        ).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * _schedule(step, settings.steps)
        with autocast():
            features = net(half(images))
        loss = functional.mse_loss(features.float(), standardized(images))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        progress(step + 1, losses[-1])
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
            checkpoint.save(
                {
                    "step": step + 1,
                    "net": net.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "mean": mean,
                    "std": std,
                    "losses": losses,
                }
            )

    with torch.no_grad(), autocast():
        errors = []
        for i, path in enumerate(held_out):
            images = load(path, i)[None]
            errors.append(
                functional.mse_loss(net(half(images)).float(), standardized(images)).item()
            )
    plain = pdn(settings.size)
    plain.load_state_dict(net.state_dict())
    recent = losses[-500:] or [math.nan]
    return Distilled(
        net=plain,
        images=len(paths),
        steps=settings.steps,
        loss=sum(recent) / len(recent),
        held_out_loss=sum(errors) / len(errors),
    )


def _schedule(step: int, steps: int) -> float:
    """Warm up over 50 steps, hold, and come down by a cosine over the last third."""
    tail = max(0.0, (step / steps - 2 / 3) * 3)
    return min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * tail)) + 1e-3
