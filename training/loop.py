"""Training of one scale's student and autoencoder against the teacher (thesis 4.4, 4.5)."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.detector import Detector, Teacher
from models.errors import InputError
from models.geometry import Cutting
from models.images import read_rgb, to_tensor
from models.precision import autocast
from training import losses
from training.augment import augment
from training.checkpoint import Checkpoint
from training.datasets import GoodParts, digest, endless
from training.statistics import channel_statistics


@dataclass(frozen=True)
class TrainSettings:
    steps: int = 3000
    rate: float = 3e-4  # Adam's learning rate, at its highest
    weight_decay: float = 1e-5
    seed: int = 0
    coeff_hard: float = 1.0
    coeff_ae: float = 1.0
    coeff_stae: float = 1.0
    checkpoint_every: int = 100  # steps

    def __post_init__(self) -> None:
        check_schedule(self.steps, self.rate, self.seed)


Progress = Callable[[int, float], None]


def check_schedule(steps: int, rate: float, seed: int) -> None:
    """Raise ``InputError`` for settings that no run can have."""
    if steps < 1:
        raise InputError(f"steps = {steps}: must be 1 or more")
    if not 0 < rate < math.inf:
        raise InputError(f"rate = {rate}: must be above 0; 3e-4 is usual")
    if seed < 0:
        raise InputError(f"seed = {seed}: must be 0 or more")


def run_key(scale: str, parts: GoodParts, teacher: Teacher, settings: TrainSettings) -> str:
    """Name a run by all that decides its result, so that no other goes on from its checkpoint."""
    sums = [value.double().sum().item() for value in teacher.state_dict().values()]
    what = (scale, [digest(p) for p in parts.train], sums, settings)
    return hashlib.sha256(repr(what).encode()).hexdigest()


def teacher_statistics(detector: Detector, parts: GoodParts, cutting: Cutting) -> None:
    """Set the teacher's channel mean and deviation over all training tiles."""
    tiles = (tile for path in parts.train for tile in cutting.cut(to_tensor(read_rgb(path))))
    with torch.no_grad(), autocast():
        mean, std = channel_statistics(
            detector.teacher.net(detector.norm(tile[None])) for tile in tiles
        )
    detector.teacher.set_statistics(mean.float(), std.float())


def train(
    detector: Detector,
    parts: GoodParts,
    cutting: Cutting,
    settings: TrainSettings,
    checkpoint: Checkpoint,
    progress: Progress,
) -> list[float]:
    """Train student and autoencoder in place; give the loss of each step.

    The teacher is not changed, and its statistics must have been set. Goes on from the checkpoint
    where there is one.
    """
    student, autoencoder = detector.student, detector.autoencoder
    for net in (detector.teacher, student, autoencoder):
        net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(
        [*student.parameters(), *autoencoder.parameters()],
        lr=settings.rate,
        weight_decay=settings.weight_decay,
    )
    history: list[float] = []
    if saved := checkpoint.load():
        student.load_state_dict(saved["student"])
        autoencoder.load_state_dict(saved["autoencoder"])
        optimizer.load_state_dict(saved["optimizer"])
        history = list(saved["losses"])
    autoencoder.train()
    order = endless(len(parts.train), settings.seed, start=len(history))
    for step in range(len(history), settings.steps):
        random = np.random.default_rng((settings.seed, 1, step))
        torch.manual_seed(int(random.integers(2**31)))  # dropout's
        image = to_tensor(read_rgb(parts.train[next(order)]))
        tiles = cutting.cut(image)
        tile = tiles[random.integers(len(tiles))]
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * schedule(step, settings.steps)
        loss = total_loss(detector, tile, augment(tile, random), settings)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        history.append(loss.item())
        if not math.isfinite(history[-1]):
            raise InputError(
                f"the loss is {history[-1]} at step {step + 1}: training diverged; lower the rate,"
                f" which is {settings.rate}"
            )
        progress(step + 1, history[-1])
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
            checkpoint.save(
                {
                    "student": student.state_dict(),
                    "autoencoder": autoencoder.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "losses": history,
                }
            )
    autoencoder.eval()
    return history


def total_loss(
    detector: Detector, clean: Tensor, augmented: Tensor, settings: TrainSettings
) -> Tensor:
    """Weigh the losses of one tile (3, 256, 256): clean for L_hard, augmented for the others."""
    images = detector.norm(torch.stack([clean, augmented])).contiguous(
        memory_format=torch.channels_last
    )
    with torch.no_grad(), autocast():
        teacher = detector.teacher(images)
    with autocast():
        follows_teacher, follows_autoencoder = detector.student(images).float().chunk(2, dim=1)
        predicted = detector.autoencoder(images[1:]).float()
    return (
        settings.coeff_hard * losses.hard(teacher[:1], follows_teacher[:1])
        + settings.coeff_ae * losses.autoencoder(teacher[1:], predicted)
        + settings.coeff_stae * losses.student_autoencoder(predicted, follows_autoencoder[1:])
    )


def schedule(step: int, steps: int) -> float:
    """Give the learning rate's factor: warm up over 100 steps, then a cosine to 1 %."""
    warm = min(1.0, (step + 1) / 100)
    return warm * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))
