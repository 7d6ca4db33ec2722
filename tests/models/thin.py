"""Networks of few channels with the PDN's geometry, and bundles around them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.bundle import (
    Bundle,
    BundleWriter,
    HashedFile,
    Input,
    Manifest,
    Reference,
    ScaleEntry,
    TrainingReference,
)
from models.detector import Detector, InputNorm, Maps, Teacher, build_detector, build_teacher
from models.engine import Engine
from models.geometry import Tiles, Whole
from models.images import to_tensor
from models.pdn import PdnSize
from models.reduced import Reduced
from training.reduction.reduction import Reduction

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


def thin_detector(seed: int) -> Detector:
    """A detector of a seed, with three channels."""
    torch.manual_seed(seed)
    teacher = Teacher(thin_pdn(CHANNELS), CHANNELS)
    teacher.set_statistics(torch.randn(CHANNELS), torch.rand(CHANNELS) + 0.5)
    detector = Detector(teacher, thin_pdn(2 * CHANNELS), ThinAutoencoder(CHANNELS))
    return detector.eval().requires_grad_(False)


class Nothing(nn.Module):
    """Features of zero, in the shape that a PDN gives."""

    def forward(self, images: Tensor) -> Tensor:
        height, width = ((n - 32) // 4 for n in images.shape[-2:])
        return torch.zeros(len(images), 1, height, width)


def blob_detector() -> Detector:
    """Both maps are the square of the frame's light under a bell at each cell's centre."""
    axis = torch.arange(33.0) - 16
    bell = torch.exp(-(axis[:, None].square() + axis.square()) / 8)
    bells = nn.Conv2d(3, 2, 33, stride=4)
    with torch.no_grad():
        bells.weight.copy_(bell.expand(2, 3, 33, 33))
        black = InputNorm()(torch.zeros(1, 3, 33, 33))
        bells.bias = nn.Parameter(-nn.functional.conv2d(black, bells.weight).flatten())
    nothing = Teacher(Nothing(), 1)  # type: ignore[arg-type]
    detector = Detector(nothing, nn.Sequential(bells), Nothing())
    return detector.eval().requires_grad_(False)


def bundle_of(detectors: Mapping[str, Detector], height: int, width: int) -> Bundle:
    """A bundle in memory of detectors, one a scale, for frames of a height and width."""
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
        reduced={},
        reference=torch.zeros(3, height, width),
        reference_maps={},
    )


def thinner(detector: Detector, rgb: Tensor) -> Reduced:
    """What training would make of a detector, by one frame."""
    reduction, signs = Reduction(detector), torch.Generator().manual_seed(0)
    for cutting in (Whole(*rgb.shape[-2:]), Tiles(*rgb.shape[-2:])):
        reduction.add(cutting.cut(rgb)[:1], signs)
    return reduction.reduced(price=1e-17, energy=0.999)


def write_bundle(
    path: Path,
    frame: NDArray[np.uint8],
    scales: Sequence[str] = ("whole", "tiles"),
    *,
    reduced: bool = False,
) -> None:
    """Write a bundle of small PDNs of 4 channels that were not trained.

    ``frame``, (H, W, 3) RGB, is its reference, and of the size that it inspects.
    """
    torch.manual_seed(0)
    teacher = build_teacher(PdnSize.SMALL, 4).requires_grad_(False)
    detectors = {
        name: build_detector(teacher, PdnSize.SMALL, 4).eval().requires_grad_(False)
        for name in scales
    }
    height, width = frame.shape[:2]
    with BundleWriter(path) as writer:
        shared = writer.weights("teacher", teacher, {})
        entries: list[dict[str, object]] = [
            {
                "name": name,
                "student": writer.weights(f"{name}.student", detector.student, {}),
                "autoencoder": writer.weights(f"{name}.autoencoder", detector.autoencoder, {}),
            }
            for name, detector in detectors.items()
        ]
        if reduced:
            for entry, detector in zip(entries, detectors.values(), strict=True):
                net = thinner(detector, to_tensor(frame))
                entry["reduced"] = writer.weights(f"{entry['name']}.reduced", net, {})
        found = Engine(bundle_of(detectors, height, width)).look_at(to_tensor(frame))
        maps = {name: Maps(raw.local, raw.globally) for name, raw in found.items()}
        nothing: dict[str, tuple[float, ...]] = dict.fromkeys(detectors, (0.0,) * 6)
        manifest = {
            "name": path.name,
            "created": "2026-01-01T00:00:00+00:00",
            "pdn": PdnSize.SMALL,
            "channels": 4,
            "teacher": shared,
            "scales": entries,
            "input": Input(height=height, width=width),
            "reference": Reference(
                frame=writer.frame("reference", frame), maps=writer.maps("reference", maps)
            ),
            "training_reference": TrainingReference(
                frames=1,
                probabilities=(0.5, 0.9, 0.99, 0.995, 0.999, 1.0),
                local=nothing,
                globally=nothing,
                brightness=(0.5, 0.1),
                contrast=(0.2, 0.1),
                sharpness=(0.5, 0.1),
                scores=nothing,
                separation={},
            ),
            "trained_on": (),
            "provenance": {"why": "a test"},
        }
        writer.publish(Manifest.model_validate(manifest))


class Passes:
    """Counts a detector's forward passes: of its teacher and of its autoencoder."""

    def __init__(self, detector: Detector) -> None:
        self.teacher = self.autoencoder = 0
        detector.teacher.register_forward_hook(self._saw_teacher)
        detector.autoencoder.register_forward_hook(self._saw_autoencoder)

    def _saw_teacher(self, *_: object) -> None:
        self.teacher += 1

    def _saw_autoencoder(self, *_: object) -> None:
        self.autoencoder += 1
