"""From a folder of good images to a bundle."""

import copy
import shutil
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor

from models.bundle import (
    CUTTINGS,
    BundleWriter,
    Input,
    Manifest,
    Reference,
    ScaleEntry,
    ScaleName,
    TrainingReference,
)
from models.detector import Detector, Maps, Teacher, build_detector, build_teacher
from models.errors import InputError
from models.images import brightness, read_rgb, sharpness, to_tensor
from models.pdn import PdnSize
from models.quantiles import quantile
from models.weights import pdn_size, read_weights
from training.checkpoint import Checkpoint
from training.datasets import GoodParts, digest
from training.loop import TrainSettings, run_key, teacher_statistics, train
from training.progress import progress

#: Where the held-out frames' maps are described.
PROBABILITIES = (0.5, 0.9, 0.99, 0.995, 0.999, 1.0)


@dataclass(frozen=True)
class Run:
    images: Path  # folder of good images
    bundle: Path  # folder to write
    teacher: Path
    scales: tuple[ScaleName, ...] = ("whole",)
    hold_out: float = 0.15  # share of the images
    train: TrainSettings = field(default_factory=TrainSettings)


def load_teacher(path: Path) -> tuple[Teacher, PdnSize, dict[str, JsonValue]]:
    """Load a teacher file; raises ``InputError`` if it holds no PDN."""
    weights, provenance = read_weights(path)
    size = pdn_size(path, weights)
    teacher = build_teacher(size)
    teacher.net.load_state_dict(weights)
    return teacher.requires_grad_(False), size, provenance


def run(settings: Run) -> Manifest:
    """Train every scale and write the bundle, going on from checkpoints beside it.

    Raises ``InputError`` for images or files that are not as they must be.
    """
    if settings.bundle.exists():
        raise InputError(f"{settings.bundle}: exists, and bundles do not change; name another")
    parts = GoodParts.split(settings.images, settings.hold_out, settings.train.seed)
    teacher, size, made = load_teacher(settings.teacher)
    work = settings.bundle.with_name(settings.bundle.name + ".checkpoints")
    detectors: dict[str, Detector] = {}
    history: dict[str, list[float]] = {}
    for scale in settings.scales:
        cutting = CUTTINGS[scale](parts.height, parts.width)
        torch.manual_seed(settings.train.seed)
        detector = build_detector(teacher, size)
        if not detectors:
            print(
                f"{len(parts.train)} images to train on, {len(parts.held_out)} held out", flush=True
            )
            teacher_statistics(detector, parts, cutting)
        key = run_key(scale, parts, teacher, settings.train)
        with progress(f"training {scale}", settings.train.steps) as report:
            history[scale] = train(
                detector, parts, cutting, settings.train, Checkpoint(work / scale, key), report
            )
        detectors[scale] = detector.eval()
    manifest = _write(settings, size, made, parts, detectors, history)
    shutil.rmtree(work, ignore_errors=True)
    return manifest


def _write(
    settings: Run,
    size: PdnSize,
    made: dict[str, JsonValue],
    parts: GoodParts,
    detectors: dict[str, Detector],
    history: dict[str, list[float]],
) -> Manifest:
    with BundleWriter(settings.bundle) as writer:
        first = next(iter(detectors.values()))
        teacher = writer.weights("teacher", first.teacher, {"teacher": made})
        scales = tuple(
            ScaleEntry(
                name=name,  # type: ignore[arg-type]
                student=writer.weights(f"{name}.student", detector.student, {}),
                autoencoder=writer.weights(f"{name}.autoencoder", detector.autoencoder, {}),
            )
            for name, detector in detectors.items()
        )
        rgb = read_rgb(parts.held_out[0])
        manifest = Manifest(
            name=settings.bundle.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pdn=size,
            teacher=teacher,
            scales=scales,
            input=Input(height=parts.height, width=parts.width),
            reference=Reference(
                frame=writer.frame("reference", rgb),
                maps=writer.maps("reference", _maps(detectors, to_tensor(rgb))),
            ),
            training_reference=_training_reference(detectors, parts),
            trained_on=tuple(sorted(digest(p) for p in parts.train)),
            provenance={
                "effad": version("effad"),
                "teacher": settings.teacher.name,
                "settings": asdict(settings.train),
                "images": len(parts.train),
                "held_out": len(parts.held_out),
                "loss": {
                    name: round(float(np.mean(losses[-100:])), 4)
                    for name, losses in history.items()
                },
            },
        )
        writer.publish(manifest)
    return manifest


def _maps(detectors: dict[str, Detector], rgb: Tensor) -> dict[str, Maps]:
    """Give each scale's maps of a frame (3, H, W) in plain fp32, a tile at a time."""
    found = {}
    with torch.inference_mode():
        for name, detector in detectors.items():
            cutting = CUTTINGS[name](*rgb.shape[-2:])  # type: ignore[index]
            maps = [detector(tile[None]) for tile in cutting.cut(rgb)]
            found[name] = Maps(
                cutting.join(torch.cat([m.local for m in maps])),
                cutting.join(torch.cat([m.globally for m in maps])),
            )
    return found


def _training_reference(detectors: dict[str, Detector], parts: GoodParts) -> TrainingReference:
    local: dict[str, list[Tensor]] = {name: [] for name in detectors}
    globally = copy.deepcopy(local)
    light, focus = [], []
    for path in parts.held_out:
        rgb = to_tensor(read_rgb(path))
        light.append(brightness(rgb))
        focus.append(sharpness(rgb))
        for name, maps in _maps(detectors, rgb).items():
            local[name].append(maps.local)
            globally[name].append(maps.globally)

    def describe(maps: dict[str, list[Tensor]]) -> dict[str, tuple[float, ...]]:
        return {
            name: tuple(quantile(torch.stack(values).numpy(), p) for p in PROBABILITIES)
            for name, values in maps.items()
        }

    return TrainingReference(
        frames=len(parts.held_out),
        probabilities=PROBABILITIES,
        local=describe(local),
        globally=describe(globally),
        brightness=(float(np.mean(light)), float(np.std(light))),
        sharpness=(float(np.mean(focus)), float(np.std(focus))),
    )
