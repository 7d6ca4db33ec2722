"""From a folder of good images to a bundle."""

import shutil
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from models.bundle import CUTTINGS, Manifest, ScaleName
from models.detector import Detector, Teacher, build_detector, build_teacher
from models.errors import InputError
from models.geometry import Box
from models.pdn import PdnSize
from models.reduced import Reduced
from models.region import kept_tiles, read_mask, within
from models.scope import Scope
from models.weights import pdn_shape, read_weights
from training.checkpoint import Checkpoint
from training.data.check import check
from training.data.good import GoodParts
from training.data.read import read_data
from training.device import find_device, make_deterministic
from training.history import History
from training.loop import run_key, teacher_statistics, train
from training.natural import NaturalTiles
from training.progress import progress
from training.publish import Trained, publish
from training.reduction.reduce import reduce
from training.settings import TrainSettings
from training.tiles import TrainingTiles
from training.warm_start import WarmStart

_NAMED = 10  # suspects in a line
_REDUCED_BY = 32  # tiles of held-out frames


@dataclass(frozen=True)
class Run:
    images: Path  # folder of good images
    bundle: Path  # folder to write
    teacher: Path
    scales: tuple[ScaleName, ...] = ("whole",)
    hold_out: float = 0.15  # share of the images
    train: TrainSettings = field(default_factory=TrainSettings)
    device: str | None = None  # None: an accelerator where there is one
    region: Box | None = None  # what of a frame is looked at
    ignore: Path | None = None  # mask as large as a frame: white is not part
    any_size: bool = False  # images may differ in size; scale whole alone
    natural: Path | None = None  # folder of natural images, for L_OOD and textures
    start: Path | None = None  # bundle to start from
    find_suspects: bool = True  # among the images trained on, afterwards
    thin: bool = True  # layers are made thin, afterwards


def load_teacher(path: Path) -> tuple[Teacher, PdnSize, dict[str, JsonValue]]:
    """Load a teacher file; raises ``InputError`` if it holds no PDN."""
    weights, provenance = read_weights(path)
    size, channels = pdn_shape(path, weights)
    teacher = build_teacher(size, channels)
    teacher.net.load_state_dict(weights)
    return teacher.requires_grad_(False), size, provenance


def run(settings: Run) -> Manifest:
    """Train every scale and write the bundle, going on from checkpoints beside it.

    Raises ``InputError`` for images or files that are not as they must be.
    """
    if settings.bundle.exists():
        raise InputError(f"{settings.bundle}: exists, and bundles do not change; name another")
    began = time.monotonic()
    device = find_device(settings.device)
    make_deterministic(device)
    parts = checked_parts(settings)
    print(f"{len(parts.train)} images to train on, {len(parts.held_out)} held out", flush=True)
    teacher, size, made = load_teacher(settings.teacher)
    channels = teacher.mean.numel()
    start = None
    if settings.start is not None:
        start = WarmStart.read(settings.start, teacher, settings.scales)
    natural = _natural(settings)
    scope = _scope(settings, parts)
    work = settings.bundle.with_name(settings.bundle.name + ".checkpoints")
    detectors: dict[str, Detector] = {}
    reduced: dict[str, Reduced] = {}
    history: dict[str, History] = {}
    for scale in settings.scales:
        tiles, held_out = (
            training_tiles(p, scale, parts, scope) for p in (parts.train, parts.held_out)
        )
        torch.manual_seed(settings.train.seed)
        detector = build_detector(teacher, size, channels).to(device)
        if not detectors:
            teacher_statistics(detector, tiles)
        if start is not None:
            start.apply(detector, scale)
        key = run_key(scale, tiles, detector, settings.train, natural)
        with progress(f"training {scale}", settings.train.steps) as report:
            checkpoint = Checkpoint(work / scale, key)
            history[scale] = train(
                detector, tiles, held_out, settings.train, checkpoint, report, natural
            )
        detectors[scale] = detector.eval()
        detector.requires_grad_(False)
        if settings.thin:
            thin = reduce(detector, list(held_out.spread(_REDUCED_BY)), list(held_out.of(0)))
            if thin is not None:
                reduced[scale] = thin.reduced.cpu()
    for detector in detectors.values():
        detector.cpu()
    provenance = _provenance(settings, parts, history, start, device, time.monotonic() - began)
    trained = Trained(
        pdn=size,
        detectors=detectors,
        reduced=reduced,
        parts=parts,
        scope=scope,
        teacher=made,
        provenance=provenance,
        find_suspects=settings.find_suspects,
    )
    manifest = publish(trained, settings.bundle)
    shutil.rmtree(work, ignore_errors=True)
    _say_suspects(manifest)
    speeds = ", ".join(f"{name} {h.steps_per_second:.2f}" for name, h in history.items())
    print(f"{time.monotonic() - began:.0f} s in all; steps/s: {speeds}", flush=True)
    return manifest


def checked_parts(settings: Run) -> GoodParts:
    """Check the images, print what is suspect, and split them.

    Raises ``InputError`` for what no training can use.
    """
    if settings.any_size and settings.scales != ("whole",):
        raise InputError("images of different sizes can be trained on at the scale whole alone")
    data = read_data(settings.images)
    found = check(data)
    for line in found.warnings:
        print(f"warning: {line}", file=sys.stderr, flush=True)
    if found.errors:
        raise InputError(f"{settings.images}: {'; '.join(found.errors)}")
    return GoodParts.split(
        data, settings.hold_out, settings.train.seed, one_size=not settings.any_size
    )


def _natural(settings: Run) -> NaturalTiles | None:
    if settings.natural is not None:
        return NaturalTiles(settings.natural)
    if settings.train.coeff_ood:
        raise InputError("coeff_ood needs natural images: name their folder by --natural")
    return None


def _say_suspects(manifest: Manifest) -> None:
    suspects = manifest.provenance["suspects"]
    if isinstance(suspects, list) and suspects:
        named = ", ".join(str(path) for path in suspects[:_NAMED])
        more = f" and {len(suspects) - _NAMED} more" if len(suspects) > _NAMED else ""
        print(
            f"warning: {len(suspects)} of the images trained on stand out from the others; look"
            f" whether their parts are good, and train again without those that are not: {named}"
            f"{more}",
            file=sys.stderr,
            flush=True,
        )


def _scope(settings: Run, parts: GoodParts) -> Scope:
    ignored = None
    if settings.ignore is not None:
        ignored = read_mask(settings.ignore, parts.height, parts.width)
    scope = Scope(region=settings.region, ignored=ignored)
    scope.check(parts.height, parts.width)
    return scope


def training_tiles(
    paths: tuple[Path, ...], scale: ScaleName, parts: GoodParts, scope: Scope
) -> TrainingTiles:
    """Give the tiles of frames that a scale is trained on, within the scope."""
    box = scope.region
    height, width = (parts.height, parts.width) if box is None else (box.height, box.width)
    cutting = CUTTINGS[scale](height, width)
    ignored = None if scope.ignored is None else within(scope.ignored, box)
    return TrainingTiles(paths, cutting, region=box, kept=kept_tiles(cutting, ignored))


def _provenance(
    settings: Run,
    parts: GoodParts,
    history: dict[str, History],
    start: WarmStart | None,
    device: torch.device,
    seconds: float,
) -> dict[str, JsonValue]:
    return {
        "effad": version("effad"),
        "teacher": settings.teacher.name,
        "start": None if start is None else start.provenance,
        "settings": asdict(settings.train),
        "region": None if settings.region is None else settings.region.model_dump(),
        "ignore": None if settings.ignore is None else settings.ignore.name,
        "device": str(device),
        "seconds": round(seconds, 1),
        "steps_per_second": {name: round(h.steps_per_second, 3) for name, h in history.items()},
        "images": len(parts.train),
        "held_out": len(parts.held_out),
        "loss": {name: round(float(np.mean(h.totals[-100:])), 4) for name, h in history.items()},
        "curves": {
            name: [[step, {**losses}] for step, losses in h.curves()] for name, h in history.items()
        },
    }
