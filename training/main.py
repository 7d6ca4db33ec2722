"""``effad-train``: train a bundle from good parts, distil a teacher, import a published one."""

import argparse
from dataclasses import asdict, fields
from pathlib import Path
from pickle import UnpicklingError

import torch

from models.errors import InputError, reports_input_errors
from models.pdn import PdnSize
from models.weights import SHIPPED_TEACHER, pdn_size, plain_names, read_weights, write_weights
from training.backbones import resnet50_v1
from training.checkpoint import UNREADABLE, Checkpoint
from training.distill import DistillSettings, distill
from training.loop import TrainSettings
from training.progress import progress
from training.run import Run, run


def run_command(args: argparse.Namespace) -> int:
    chosen = {f.name: getattr(args, f.name) for f in fields(TrainSettings) if f.name in args}
    manifest = run(
        Run(
            images=args.images,
            bundle=args.bundle,
            teacher=args.teacher,
            scales=tuple(dict.fromkeys(args.scales)),
            hold_out=args.hold_out,
            train=TrainSettings(**chosen),
        )
    )
    held = manifest.training_reference.frames
    print(
        f"{args.bundle}: trained; next: effad-calibrate run RECIPE --bundle {args.bundle}"
        f" --images {args.images}  ({held} images were held out for it)"
    )
    return 0


def distill_command(args: argparse.Namespace) -> int:
    settings = DistillSettings(
        images=args.images,
        size=args.size,
        steps=args.steps,
        batch=args.batch,
        rate=args.rate,
        seed=args.seed,
    )
    start, began = read_weights(args.start) if args.start else (None, {})
    if start is not None and (found := pdn_size(args.start, start)) is not settings.size:
        raise InputError(f"{args.start}: a {found} teacher, but --size is {settings.size}")
    checkpoint = Checkpoint(
        args.teacher.with_suffix(".checkpoint"), repr((settings, str(args.backbone)))
    )
    with progress("distilling", settings.steps) as report:
        made = distill(settings, resnet50_v1(args.backbone), start, checkpoint, report)
    provenance = {
        **{k: v for k, v in asdict(settings).items() if k not in ("images", "checkpoint_every")},
        "backbone": args.backbone.name,
        "images": made.images,
        "loss": round(made.loss, 4),
        "held_out_loss": round(made.held_out_loss, 4),
        "started_from": {"file": args.start.name, **began} if args.start else None,
    }
    write_weights(args.teacher, dict(made.net.state_dict()), provenance)
    print(f"{args.teacher}: loss {made.loss:.4f}, held-out loss {made.held_out_loss:.4f}")
    return 0


def import_command(args: argparse.Namespace) -> int:
    if args.file.suffix == ".safetensors":
        weights, _ = read_weights(args.file)
    else:
        weights = _read_state_dict(args.file)
    weights = plain_names(weights)
    size = pdn_size(args.file, weights)
    write_weights(args.teacher, weights, {"imported_from": args.file.name, "size": size})
    print(f"{args.teacher}: {size} teacher")
    return 0


def _read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(
            f"{path}: holds something else than weights, and effad never unpickles objects;"
            " save the network's state_dict() alone"
        ) from error
    except UNREADABLE as error:
        raise InputError(f"{path}: no readable checkpoint; copy it again") from error
    if not isinstance(loaded, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in loaded.items()
    ):
        raise InputError(f"{path}: no state_dict (names to tensors)")
    return {key: value.float() for key, value in loaded.items()}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="effad-train", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    default = TrainSettings()

    verb = verbs.add_parser("run", help="train a bundle from a folder of images of good parts")
    verb.add_argument("images", type=Path, help="folder of images of good parts, all of one size")
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
    for name, what in (
        ("steps", "training steps a scale"),
        ("rate", "Adam's highest learning rate"),
        ("seed", "of everything random"),
        ("coeff_hard", "weight of L_hard (eq. 4.2)"),
        ("coeff_ae", "weight of L_AE (eq. 4.3)"),
        ("coeff_stae", "weight of L_STAE (eq. 4.4)"),
    ):
        value = getattr(default, name)
        verb.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(value),
            default=value,
            help=f"{what} (default: {value})",
        )
    verb.set_defaults(command=run_command)

    verb = verbs.add_parser("distill", help="distil a backbone into a teacher (algorithm 1)")
    verb.add_argument("images", type=Path, help="folder of natural images")
    verb.add_argument("teacher", type=Path, help="safetensors file to write; a stopped run goes on")
    verb.add_argument("--backbone", type=Path, required=True, help="ResNet-50 v1, safetensors")
    verb.add_argument("--start", type=Path, help="teacher to go on from")
    verb.add_argument("--size", type=PdnSize, default=PdnSize.SMALL, choices=list(PdnSize))
    verb.add_argument("--steps", type=int, default=60_000)
    verb.add_argument("--batch", type=int, default=16)
    verb.add_argument("--rate", type=float, default=1e-4, help="Adam's learning rate")
    verb.add_argument("--seed", type=int, default=0)
    verb.set_defaults(command=distill_command)

    verb = verbs.add_parser("import-teacher", help="convert a published EfficientAD teacher")
    verb.add_argument("file", type=Path, help="state_dict (.pth, .pt) or .safetensors")
    verb.add_argument("teacher", type=Path, help="safetensors file to write")
    verb.set_defaults(command=import_command)
    return top


@reports_input_errors("effad-train")
def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    raise SystemExit(main())
