"""A bundle of thin networks that was really trained on drawn parts, and frames to show to it."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from calibration.acceptance.accept import accept
from calibration.acceptance.answer import Acceptance
from calibration.acceptance.judge import Judge
from calibration.shown import Shown
from daemon.simulator.parts import Defect, draw
from models.bundle import Bundle
from models.detector import Detector, Teacher
from models.engine import Engine
from models.geometry import Whole
from models.images import to_tensor
from models.pixel_format import PixelFormat
from models.scope import Scope
from tests.calibration.shown_frames import measured
from tests.models.thin import ThinAutoencoder, bundle_of
from training.reference import training_reference

SIZE = 128  # pixels, a side
_CHANNELS, _WIDTH, _STEPS = 8, 12, 60
_TRAINED, _HELD_OUT = range(0, 12), range(20, 44)
Frame = NDArray[np.uint8]


def _pdn(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, _WIDTH, 4),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(_WIDTH, _WIDTH, 4),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(_WIDTH, _WIDTH, 3),
        nn.ReLU(),
        nn.Conv2d(_WIDTH, channels, 4),
    )


def _detector() -> Detector:
    """Train on drawn parts: student on teacher and autoencoder, autoencoder on teacher."""
    torch.manual_seed(0)
    teacher = Teacher(_pdn(_CHANNELS), _CHANNELS).requires_grad_(False)
    detector = Detector(teacher, _pdn(2 * _CHANNELS), ThinAutoencoder(_CHANNELS))
    frames = [to_tensor(draw(seed, size=SIZE).image) for seed in _TRAINED]
    tiles = torch.cat([Whole(SIZE, SIZE).cut(frame) for frame in frames])
    images = detector.norm(tiles)
    features = teacher.net(images)
    teacher.set_statistics(features.mean(dim=(0, 2, 3)), features.std(dim=(0, 2, 3)))
    target = teacher(images)
    learning = [*detector.student.parameters(), *detector.autoencoder.parameters()]
    optimizer = torch.optim.Adam(learning, lr=1e-2)
    for step in range(_STEPS):
        batch = torch.arange(3 * step, 3 * step + 3) % len(images)
        first, second = detector.student(images[batch]).chunk(2, dim=1)
        rebuilt = detector.autoencoder(images[batch])
        losses = [target[batch] - first, rebuilt - second, target[batch] - rebuilt]
        optimizer.zero_grad()
        total = torch.stack([loss.square().mean() for loss in losses]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return detector.eval().requires_grad_(False)


def trained_bundle(folder: Path) -> Bundle:
    """Give a bundle in memory; ``folder`` takes the images that are held out."""
    detectors = {"whole": _detector()}
    paths = [folder / f"{seed:03}.png" for seed in _HELD_OUT]
    for seed, path in zip(_HELD_OUT, paths, strict=True):
        cv2.imwrite(str(path), draw(seed, size=SIZE).image[..., ::-1])
    bundle = bundle_of(detectors, SIZE, SIZE)
    reference = training_reference(detectors, paths, Scope())
    manifest = bundle.manifest.model_copy(update={"training_reference": reference})
    return replace(bundle, manifest=manifest)


def good(count: int, first: int = 100) -> list[Frame]:
    """Give good parts that the bundle has not seen."""
    return [draw(first + place, size=SIZE).image for place in range(count)]


def bad(count: int, first: int = 300) -> list[Frame]:
    """Give defective parts, of all kinds in turn."""
    kinds = list(Defect)
    return [
        draw(first + place, kinds[place % len(kinds)], size=SIZE).image for place in range(count)
    ]


def shown(frames: list[Frame], prefix: str = "good") -> list[Shown]:
    return [
        Shown.of(f"{prefix}-{n}", f"{prefix}-{n}", frame, PixelFormat.RGB8)
        for n, frame in enumerate(frames)
    ]


@dataclass(frozen=True)
class Judged:
    acceptance: Acceptance
    judge: Judge


def judged(bundle: Bundle, frames: list[Shown], folder: Path) -> Judged:
    """Calibrate on frames, and hold that against the bundle's training."""
    engine = Engine(bundle)
    found = measured(bundle, engine, frames, folder)
    named = {one.digest: one for one in frames}
    acceptance = accept(bundle, found, engine, named.__getitem__)
    return Judged(acceptance, Judge.of(bundle, found, engine, named.__getitem__))
