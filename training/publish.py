"""What a run writes of itself: the bundle, with maps of held-out frames to be told against."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue
from torch import Tensor

from models.bundle import (
    BundleWriter,
    Input,
    Manifest,
    Reference,
    ScaleEntry,
)
from models.calibration import RawMaps
from models.detector import Detector, Maps, off_by
from models.images import read_rgb, to_tensor
from models.pdn import PdnSize
from models.precision import TOLERANCE, Precision, autocast
from models.reduced import Reduced
from models.scope import Scope
from training.data.good import GoodParts, digest
from training.look import look
from training.reduction.reduce import REFERENCE_SHARE
from training.reference import training_reference
from training.suspects import find_suspects


@dataclass(frozen=True)
class Trained:
    """All that goes into a bundle."""

    pdn: PdnSize
    detectors: Mapping[str, Detector]  # a scale each, in eval mode, on the CPU
    reduced: Mapping[str, Reduced]  # a scale each of which the layers could be made thin
    parts: GoodParts
    scope: Scope  # what of a frame was trained on
    teacher: JsonValue  # how it was made
    provenance: Mapping[str, JsonValue]
    find_suspects: bool  # among the images trained on


def keeps(reduced: Reduced, scale: str, rgb: Tensor, wanted: RawMaps) -> bool:
    """Say whether engines would hold thin networks to be near enough, on the reference frame."""
    with autocast(enabled=True):
        found = look({scale: reduced}, rgb, Scope())[scale]
    off = off_by(found[:2], wanted[:2])
    if off <= REFERENCE_SHARE * TOLERANCE[Precision.BF16]:
        return True
    print(
        f"warning: {scale}: thin networks' maps are off by {off:.1%} of their maximum on the"
        " reference frame; left out, all engines compute whole layers",
        file=sys.stderr,
        flush=True,
    )
    return False


def publish(trained: Trained, bundle: Path) -> Manifest:
    """Write the bundle; the networks are rounded to what its files hold."""
    with BundleWriter(bundle) as writer:
        first = next(iter(trained.detectors.values()))
        teacher = writer.weights("teacher", first.teacher, {"teacher": trained.teacher})
        scales = [
            ScaleEntry(
                name=name,  # type: ignore[arg-type]
                student=writer.weights(f"{name}.student", detector.student, {}),
                autoencoder=writer.weights(f"{name}.autoencoder", detector.autoencoder, {}),
            )
            for name, detector in trained.detectors.items()
        ]
        described = training_reference(trained.detectors, trained.parts.held_out, trained.scope)
        suspects: list[JsonValue] = []
        if trained.find_suspects:
            suspects += [
                str(path)
                for path in find_suspects(
                    trained.detectors, trained.parts.train, described, trained.scope
                )
            ]
        rgb = read_rgb(trained.parts.held_out[0])
        maps = look(trained.detectors, to_tensor(rgb), Scope())
        for n, scale in enumerate(scales):
            net = trained.reduced.get(scale.name)
            if net is not None and keeps(net, scale.name, to_tensor(rgb), maps[scale.name]):
                file = writer.weights(f"{scale.name}.reduced", net, {})
                scales[n] = scale.model_copy(update={"reduced": file})
        manifest = Manifest(
            name=bundle.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pdn=trained.pdn,
            channels=first.teacher.mean.numel(),
            teacher=teacher,
            scales=tuple(scales),
            input=Input(height=trained.parts.height, width=trained.parts.width),
            reference=Reference(
                frame=writer.frame("reference", rgb),
                maps=writer.maps(
                    "reference", {name: Maps(m.local, m.globally) for name, m in maps.items()}
                ),
            ),
            training_reference=described,
            trained_on=tuple(sorted(digest(p) for p in trained.parts.train)),
            provenance={**trained.provenance, "suspects": suspects},
        )
        writer.publish(manifest)
    return manifest
