"""What a run writes of itself: the bundle, with maps of held-out frames to be told against."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from models.bundle import (
    BundleWriter,
    HashedFile,
    Input,
    Manifest,
    Reference,
    ScaleEntry,
)
from models.detector import Detector, Maps
from models.images import read_rgb, to_tensor
from models.pdn import PdnSize
from models.reduced import Reduced
from models.scope import Scope
from training.data.good import GoodParts, digest
from training.look import look
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


def _reduced(writer: BundleWriter, name: str, found: Reduced | None) -> HashedFile | None:
    return None if found is None else writer.weights(f"{name}.reduced", found, {})


def publish(trained: Trained, bundle: Path) -> Manifest:
    """Write the bundle; the networks are rounded to what its files hold."""
    with BundleWriter(bundle) as writer:
        first = next(iter(trained.detectors.values()))
        teacher = writer.weights("teacher", first.teacher, {"teacher": trained.teacher})
        scales = tuple(
            ScaleEntry(
                name=name,  # type: ignore[arg-type]
                student=writer.weights(f"{name}.student", detector.student, {}),
                autoencoder=writer.weights(f"{name}.autoencoder", detector.autoencoder, {}),
                reduced=_reduced(writer, name, trained.reduced.get(name)),
            )
            for name, detector in trained.detectors.items()
        )
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
        manifest = Manifest(
            name=bundle.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pdn=trained.pdn,
            channels=first.teacher.mean.numel(),
            teacher=teacher,
            scales=scales,
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
