"""``effad-train distill``: from a pretrained backbone to a teacher (thesis algorithm 1)."""

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.errors import InputError
from models.precision import Precision, has_bf16
from models.weights import pdn_shape, read_weights, write_weights
from training.backbones.named import NAMES, backbone
from training.checkpoint import Checkpoint
from training.device import find_device
from training.distillation.distill import Distillation, Distilled, distill
from training.distillation.kept import Kept
from training.distillation.provenance import backbone_provenance, provenance
from training.distillation.ranks import Ranks, ranks
from training.distillation.settings import DistillSettings
from training.distillation.targets import Targets
from training.distillation.views import NaturalImages
from training.progress import Report, progress

#: Settings that are options of their own name.
OPTIONS = {
    "size": "of the PDN, small or medium",
    "channels": "of the teacher",
    "steps": "in all; a finished run may be prolonged",
    "cooldown": "share of the steps in which the rate falls",
    "batch": "views a step, of all processes",
    "rate": "Adam's learning rate",
    "seed": "of everything random",
    "views": "so many fixed views of each image, with features kept on disk, 2.8 MB each, where"
    " the backbone is slow; 0: always new ones",
    "cells": "side of the window of each view that is trained on",
    "checkpoint_every": "steps",
    "snapshots": "also write TEACHER-<step>.safetensors every so many steps; 0: none",
}


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-train``'s."""
    verb = verbs.add_parser(
        "distill",
        help="distil a backbone into a teacher (algorithm 1)",
        description="On several GPUs or machines: torchrun ... -m training.main distill ...",
    )
    verb.add_argument("images", type=Path, help="folder of natural images, at any depth")
    verb.add_argument("teacher", type=Path, help="safetensors file to write; a stopped run goes on")
    verb.add_argument(
        "--backbone",
        choices=NAMES,
        default=NAMES[0],
        metavar="NAME",
        help=f"one of {', '.join(NAMES)} (default: {NAMES[0]})",
    )
    verb.add_argument(
        "--backbone-weights",
        type=Path,
        metavar="FILE",
        help="its weights (default: those its library has or downloads)",
    )
    verb.add_argument("--start", type=Path, metavar="TEACHER", help="teacher to go on from")
    default = DistillSettings(Path())
    for name, what in OPTIONS.items():
        value = getattr(default, name)
        option = f"--{name.replace('_', '-')}"
        verb.add_argument(
            option, type=type(value), default=value, help=f"{what} (default: {value})"
        )
    verb.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda if there is one)")
    verb.add_argument(
        "--precision",
        type=Precision,
        choices=[Precision.FP32, Precision.BF16],
        help="of backbone and teacher (default: bf16 where it is fast)",
    )
    verb.set_defaults(command=command)


def command(args: argparse.Namespace) -> int:
    device = find_device(args.device)
    fast = Precision.BF16 if device.type == "cuda" or has_bf16() else Precision.FP32
    settings = DistillSettings(
        images=args.images,
        precision=args.precision or fast,
        **{name: getattr(args, name) for name in OPTIONS},
    )
    start, started_from = _start(args.start, settings)
    images = NaturalImages.split(settings.images)
    net = backbone(args.backbone, args.backbone_weights, settings.channels)
    described = backbone_provenance(args.backbone, args.backbone_weights, net)

    def write(path: Path, made: Distilled) -> None:
        said = provenance(settings, images, described, started_from, made)
        write_weights(path, dict(made.net.state_dict()), said)

    def snapshot(made: Distilled) -> None:
        name = f"{args.teacher.stem}-{made.steps}{args.teacher.suffix}"
        write(args.teacher.with_name(name), made)

    with ranks(device) as here:
        net.to(here.device).to(memory_format=torch.channels_last)
        key = run_key(settings, images, described["fingerprint"]) if here.first else ""
        checkpoint = Checkpoint(args.teacher.with_suffix(".checkpoint"), key)
        kept = Kept(args.teacher.with_suffix(".features")) if settings.views else None
        targets = Targets(net, here.device, settings.precision, kept)
        state = Distillation(settings, images, targets, start, checkpoint, here)
        with _reported(here, settings.steps) as report:
            made = distill(state, report, snapshot)
        if made is not None:
            write(args.teacher, made)
            print(f"{args.teacher}: held-out loss {made.held_out_loss:.4f}, {made.steps} steps")
    return 0


def run_key(settings: DistillSettings, images: NaturalImages, backbone: str) -> str:
    """Name a run by what its checkpoint rests on, whatever the machine and its folders.

    Steps, batch, rate, views and precision are left out: a run may be prolonged or cooled down
    earlier, and go on elsewhere with larger batches of views that are always new.
    """
    s = settings
    return f"{s.size} {s.channels} seed {s.seed} {images.digest()} {backbone}"


def _start(
    path: Path | None, settings: DistillSettings
) -> tuple[dict[str, Tensor] | None, dict[str, Any] | None]:
    if path is None:
        return None, None
    weights, began = read_weights(path)
    found = pdn_shape(path, weights)
    if found.size is not settings.size:
        raise InputError(f"{path}: a {found.size} teacher, but --size is {settings.size}")
    if found.channels != settings.channels:
        raise InputError(
            f"{path}: a teacher of {found.channels} channels, but --channels is {settings.channels}"
        )
    return weights, {"file": path.name, **began}


def _reported(here: Ranks, steps: int) -> AbstractContextManager[Report]:
    return progress("distilling", steps) if here.first else nullcontext(lambda step, loss: None)
