"""``effad-calibrate``: fit a recipe to the good parts of this lot, in this light."""

import argparse
import os
from pathlib import Path
from typing import get_args

import torch
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from calibration.frames import held_out
from calibration.measure import Choice, looks, measure
from models import bundle as bundles
from models.engine import Engine
from models.errors import InputError, reports_input_errors
from models.geometry import STRIDE, TileStride
from models.mode import Mode
from models.precision import Precision, has_bf16
from models.recipe import RECIPE, Recipe, relative
from models.records import first_fault, sha256, write_whole
from models.region import read_mask
from models.scope import Scope

_BOX = ("x", "y", "width", "height")


def run_command(args: argparse.Namespace) -> int:
    folder: Path = args.recipe
    old = Recipe.read(folder / RECIPE) if (folder / RECIPE).exists() else None
    if old is None and args.bundle is None:
        raise InputError(f"{folder}: no recipe here yet; name its bundle with --bundle FOLDER")
    fresh = _asked(args, folder, old)
    bundle = bundles.load(args.bundle or folder / old.bundle)  # type: ignore[union-attr]
    frames = held_out(args.images, bundle.manifest)
    if frames.left_out:
        print(f"{frames.left_out} images were trained on and are left out")
    mask = args.ignore or (folder / fresh.ignore_mask if fresh.ignore_mask else None)
    size = bundle.manifest.input
    choice = Choice(
        alpha=fresh.alpha,
        device=args.device,
        precision=args.precision,
        false_reject_rate=args.target_false_reject,
        ignore_mask=sha256(mask) if mask else None,
        tile_share=fresh.tile_share,
    )
    engine = Engine(
        bundle,
        device=choice.device,
        precision=choice.precision,
        threads=args.threads,
        scope=Scope(
            mode=fresh.mode,
            region=fresh.region_of_interest,
            ignored=read_mask(mask, size.height, size.width) if mask else None,
            tile_stride=fresh.tile_stride,
        ),
    )
    engine.verify()
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("calibrating", total=looks(engine, len(frames.paths)))
        calibration = measure(
            bundle, engine, frames.paths, choice, lambda done: bar.update(task, completed=done)
        )
    folder.mkdir(parents=True, exist_ok=True)
    if args.ignore is not None and fresh.ignore_mask is not None:
        write_whole(folder / fresh.ignore_mask, args.ignore.read_bytes())
    calibration.write(folder / fresh.calibration)
    fresh.write(folder / RECIPE)
    rate, parts = calibration.false_reject_rate, calibration.parts
    print(
        f"{folder}: version {fresh.version}, mode {engine.mode},"
        f" threshold {calibration.threshold:.4f}; {parts} parts"
        f" support {1 / (parts + 1):.2%}, and 1 good part in {1 / rate:.0f} will be rejected"
    )
    return 0


def _asked(args: argparse.Namespace, folder: Path, old: Recipe | None) -> Recipe:
    """Give the recipe that was asked for; raises ``InputError`` before anything is measured."""
    kept = old.model_dump() if old else {"name": folder.resolve().name}
    version = old.version + 1 if old else 1
    asked = {
        "version": version,
        "bundle": relative(args.bundle, folder) if args.bundle else kept["bundle"],
        "calibration": f"calibration-{version}.json",
        "alpha": args.alpha,
        "deadline_ms": args.deadline_ms,
        "mode": args.mode,
        "region_of_interest": args.region and dict(zip(_BOX, args.region, strict=True)),
        "ignore_mask": args.ignore and f"ignore-{version}.png",
        "tile_share": args.tile_share,
        "tile_stride": args.tile_stride,
    }
    try:
        return Recipe.model_validate(
            {**kept, **{key: value for key, value in asked.items() if value is not None}}
        )
    except ValidationError as error:
        raise InputError(f"{folder / RECIPE}: {first_fault(error)}") from error


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="effad-calibrate", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("run", help="measure good parts and write the recipe's next version")
    verb.add_argument("recipe", type=Path, help="folder of the recipe; made if it is new")
    verb.add_argument("--images", type=Path, required=True, help="folder of good frames")
    verb.add_argument("--bundle", type=Path, help="for a new recipe, or another bundle")
    verb.add_argument("--alpha", type=float, help="weight of the local map, 0 to 1 (default: 0.5)")
    verb.add_argument(
        "--target-false-reject",
        type=float,
        help="share of good parts that may be rejected (default: the lowest the parts support)",
    )
    verb.add_argument(
        "--precision",
        type=Precision,
        choices=list(Precision),
        default=Precision.BF16 if has_bf16() else Precision.FP32,
        help="what the daemon will compute in (default here: %(default)s)",
    )
    verb.add_argument(
        "--mode",
        type=Mode,
        choices=list(Mode),
        help="whole: the frame at 256 x 256; tiles: native resolution; pyramid: both, fused;"
        " adaptive: the whole first, and tiles where it asks for them, so that what the whole does"
        " not see at all is missed (default: what the bundle has, pyramid where it has both)",
    )
    verb.add_argument(
        "--tile-share",
        type=float,
        help="share of the tiles of good parts that mode adaptive computes (default: 0.1)",
    )
    verb.add_argument(
        "--tile-stride",
        type=int,
        choices=get_args(TileStride),
        help="pixels from tile to tile for the global map; below 224 they overlap and are blended"
        f" (default: {STRIDE})",
    )
    verb.add_argument(
        "--region",
        type=int,
        nargs=4,
        metavar=("X", "Y", "WIDTH", "HEIGHT"),
        help="region of interest, frame pixels: nothing else is looked at",
    )
    verb.add_argument(
        "--ignore",
        type=Path,
        metavar="MASK",
        help="image as large as the frame, white where nothing is to be inspected; it is copied"
        " into the recipe's folder. Draw it 16 pixels wider than what it is to hide",
    )
    verb.add_argument("--deadline-ms", type=int, help="from exposure to verdict")
    verb.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="where the daemon will compute (default here: %(default)s)",
    )
    verb.add_argument(
        "--threads",
        type=int,
        default=max(1, len(os.sched_getaffinity(0)) - 1),  # as the daemon's own default
        help="CPU threads, part of the engine's fingerprint (default here: %(default)s)",
    )
    verb.set_defaults(command=run_command)
    return top


@reports_input_errors("effad-calibrate")
def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    raise SystemExit(main())
