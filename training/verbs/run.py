"""``effad-train run``: from a folder of good images to a bundle."""

import argparse
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from models.errors import InputError
from models.geometry import Box
from models.records import first_fault
from models.weights import SHIPPED_TEACHER
from training.run import Run, run
from training.settings import TrainSettings

#: Steps by default where another bundle is started from.
WARM_STEPS = 1000
#: Settings that are options of their own name.
OPTIONS = {
    "batch": "tiles a step",
    "schedule": "cosine: warm up, then down to 1 %%; step: a tenth from 95 %% of the steps on."
    " The thesis': --schedule step --rate 1e-4 --rate-ae 1e-4 --steps 70000",
    "rate": "Adam's learning rate for the student, at its highest",
    "rate_ae": "and for the autoencoder",
    "weight_decay": "Adam's",
    "seed": "of everything random",
    "coeff_hard": "weight of L_hard (eq. 4.2)",
    "coeff_ae": "weight of L_AE (eq. 4.3)",
    "coeff_stae": "weight of L_STAE (eq. 4.4)",
    "coeff_ood": "weight of L_OOD, which needs --natural",
    "coeff_cdo": "weight of L_CDO (eq. 4.9), by synthetic anomalies",
    "hard_quantile": "elements below it are left out of L_hard, in the end",
    "hard_ramp": "share of the steps over which L_hard comes from all elements to those; 0: from"
    " the first step on, as the thesis",
    "cdo_gamma": "exponent of L_CDO's weights (eq. 4.7, 4.8)",
    "synthetic": "noise: the thesis' squares; cut-paste: pieces of good parts; perlin: textures of"
    " --natural, or distorted good parts",
    "synthetic_probability": "that an image carries synthetic anomalies",
    "ema": "decay of the running average of the weights that is kept; 0: the last weights",
    "checkpoint_every": "steps",
}


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-train``'s."""
    verb = verbs.add_parser("run", help="train a bundle from a folder of images of good parts")
    verb.add_argument(
        "images", type=Path, help="folder of images of good parts, or a category of a data set"
    )
    verb.add_argument("bundle", type=Path, help="folder to write; a stopped run goes on")
    verb.add_argument("--teacher", type=Path, default=SHIPPED_TEACHER, help="default: the shipped")
    verb.add_argument(
        "--scales",
        nargs="+",
        choices=["whole", "tiles"],
        default=["whole"],
        help="whole: the frame resized to 256 x 256; tiles: native resolution;"
        " both: a pyramid (default: whole)",
    )
    verb.add_argument(
        "--hold-out",
        type=float,
        default=0.15,
        help="share of the images kept for calibration (default: 0.15)",
    )
    _add_scope(verb)
    verb.add_argument(
        "--start", type=Path, metavar="BUNDLE", help="bundle to start from, of the same teacher"
    )
    verb.add_argument(
        "--natural", type=Path, metavar="FOLDER", help="images that show no part, as of ImageNet"
    )
    verb.add_argument(
        "--steps",
        type=int,
        help=f"training steps a scale (default: {TrainSettings.steps}; {WARM_STEPS} with --start)",
    )
    for name, what in OPTIONS.items():
        value = getattr(TrainSettings, name)
        verb.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(value),
            choices=list(type(value)) if isinstance(value, StrEnum) else None,
            default=value,
            help=f"{what} (default: {value})",
        )
    verb.add_argument(
        "--geometric",
        action="store_true",
        help="lay tiles in all 8 ways: for parts that come in any pose",
    )
    verb.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda if there is one)")
    verb.add_argument(
        "--no-suspects",
        action="store_true",
        help="do not look for defective parts among those trained on, afterwards",
    )
    verb.add_argument(
        "--no-thin",
        action="store_true",
        help="leave all layers whole: a trial run ends minutes sooner, and inspection takes twice"
        " as long",
    )
    verb.set_defaults(command=command)


def _add_scope(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--region",
        type=int,
        nargs=4,
        metavar=("X", "Y", "W", "H"),
        help="rectangle of the frame that is looked at, in pixels (default: all)",
    )
    verb.add_argument(
        "--ignore", type=Path, metavar="MASK", help="PNG as large as a frame; white is not part"
    )
    verb.add_argument(
        "--any-size",
        action="store_true",
        help="images may differ in size; with scale whole alone",
    )


def _box(given: list[int] | None) -> Box | None:
    if given is None:
        return None
    try:
        return Box(**dict(zip(Box.model_fields, given, strict=True)))
    except ValidationError as error:
        raise InputError(f"--region {' '.join(map(str, given))}: {first_fault(error)}") from error


def command(args: argparse.Namespace) -> int:
    chosen = {f.name: getattr(args, f.name) for f in fields(TrainSettings) if f.name in args}
    if chosen["steps"] is None:
        chosen["steps"] = TrainSettings.steps if args.start is None else WARM_STEPS
    manifest = run(
        Run(
            images=args.images,
            bundle=args.bundle,
            teacher=args.teacher,
            scales=tuple(dict.fromkeys(args.scales)),
            hold_out=args.hold_out,
            train=TrainSettings(**chosen),
            device=args.device,
            region=_box(args.region),
            ignore=args.ignore,
            any_size=args.any_size,
            natural=args.natural,
            start=args.start,
            find_suspects=not args.no_suspects,
            thin=not args.no_thin,
        )
    )
    held = manifest.training_reference.frames
    print(
        f"{args.bundle}: trained; next: effad-calibrate run RECIPE --bundle {args.bundle}"
        f" --images {args.images}  ({held} images were held out for it)"
    )
    return 0
