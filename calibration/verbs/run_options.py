"""What ``effad-calibrate run`` can be told."""

import argparse
import os
from pathlib import Path
from typing import get_args

import torch

from calibration.labelled import Prices
from calibration.record import Choice
from calibration.sources.options import add_source
from models.backend import Backend
from models.errors import InputError
from models.geometry import STRIDE, TileStride
from models.mode import Mode
from models.precision import Precision, fastest_precision
from models.threshold import Method

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PRECISION = fastest_precision()
THREADS = max(1, len(os.sched_getaffinity(0)) - 1)  # as the daemon's own default


def add_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("recipe", type=Path, help="folder of the recipe; made if it is new")
    add_source(verb, required=False)
    _add_frames(verb)
    _add_threshold(verb.add_argument_group("the threshold"))
    _add_look(verb.add_argument_group("what is looked at (default: as the recipe has it)"))
    _add_end(verb.add_argument_group("what becomes of it"))


def choice_of(args: argparse.Namespace, alpha: float, tile_share: float) -> Choice:
    """Give what was decided; raises ``InputError`` for options that do not go together."""
    return Choice(
        alpha=alpha,
        device=args.device or DEVICE,
        precision=args.precision or PRECISION,
        false_reject_rate=args.target_false_reject,
        tile_share=tile_share,
        method=_method(args),
        prices=None
        if args.cost_ratio is None
        else Prices(ratio=args.cost_ratio, defect_share=args.defect_share),
    )


def _method(args: argparse.Namespace) -> Method:
    if args.tail and args.target_false_reject is None:
        raise InputError("--tail: name the rate that it is for with --target-false-reject R")
    if args.labelled is None:
        for option in ("best_f1", "cost_ratio"):
            if getattr(args, option):
                name = option.replace("_", "-")
                raise InputError(f"--{name}: show defects as well with --labelled FOLDER")
        return Method.TAIL if args.tail else Method.CONFORMAL
    if args.tail:
        return Method.TAIL
    if args.cost_ratio is not None:
        return Method.COST
    return Method.F1 if args.best_f1 else Method.RECALL


def _add_frames(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--frames",
        type=int,
        metavar="N",
        help="so many: of a folder the first by name (default: all), of daemon and camera the"
        " next N parts (default: 50)",
    )
    verb.add_argument(
        "--which",
        choices=["good", "all"],
        default="good",
        help="with --daemon: parts that pass, or all, where good ones fail since the changeover"
        " [%(default)s]",
    )
    verb.add_argument(
        "--trigger", action="store_true", help="with --daemon: send the software triggers"
    )
    verb.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="that look at the frames side by side, each on as many --threads [%(default)s]",
    )
    verb.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="NAME",
        help="files or parts that are not to be taken for good",
    )
    verb.add_argument(
        "--without-suspects",
        action="store_true",
        help="leave out the parts that look defective among those shown",
    )


def _add_threshold(add: argparse._ArgumentGroup) -> None:
    add.add_argument(
        "--target-false-reject",
        type=float,
        metavar="R",
        help="share of good parts that may be rejected (default: the lowest the parts support,"
        " but no less than 0.001)",
    )
    add.add_argument(
        "--tail",
        action="store_true",
        help="for a lower rate than the parts support: extrapolate by a fitted tail",
    )
    add.add_argument(
        "--labelled",
        type=Path,
        metavar="FOLDER",
        help="known defects: says how many are found, and allows the next two",
    )
    best = add.add_mutually_exclusive_group()
    best.add_argument("--best-f1", action="store_true", help="the threshold of the best F1")
    best.add_argument(
        "--cost-ratio",
        type=float,
        metavar="C",
        help="the threshold of the lowest cost, where a false accept costs C false rejects",
    )
    add.add_argument(
        "--defect-share",
        type=float,
        metavar="S",
        help="with --cost-ratio: share of the line's parts that are defective (default: as shown)",
    )


def _add_look(add: argparse._ArgumentGroup) -> None:
    add.add_argument("--bundle", type=Path, help="for a new recipe, or another bundle")
    add.add_argument(
        "--from-version",
        type=int,
        metavar="N",
        help="version of the recipe to go on from (default: the active one)",
    )
    add.add_argument(
        "--alpha",
        type=float,
        help="weight of the local map, 0 to 1 (0.5 in a new recipe). Without frames: from the"
        " scores that are kept for 0, 0.1 and so on to 1",
    )
    add.add_argument(
        "--precision",
        type=Precision,
        choices=list(Precision),
        help="what the daemon will compute in; reduced: fp32 with thin layers, bf16: likewise"
        f" (default here: {PRECISION})",
    )
    add.add_argument(
        "--backend",
        type=Backend,
        choices=list(Backend),
        help="library that the daemon will compute by; openvino is an extra, for CPUs (default: the"
        " fastest on the bundle's reference frame)",
    )
    add.add_argument(
        "--mode",
        type=Mode,
        choices=list(Mode),
        help="whole: the frame at 256 x 256; tiles: native resolution; pyramid: both, fused;"
        " adaptive: the whole first, and tiles where it asks for them, so that what the whole does"
        " not see at all is missed (default: what the bundle has, pyramid where it has both)",
    )
    add.add_argument(
        "--tile-share",
        type=float,
        help="share of the tiles of good parts that mode adaptive computes (default: 0.1)",
    )
    add.add_argument(
        "--tile-stride",
        type=int,
        choices=get_args(TileStride),
        help="pixels from tile to tile for the global map; below 224 they overlap and are blended"
        f" (default: {STRIDE})",
    )
    add.add_argument(
        "--region",
        type=int,
        nargs=4,
        metavar=("X", "Y", "WIDTH", "HEIGHT"),
        help="region of interest, frame pixels: nothing else is looked at",
    )
    add.add_argument(
        "--ignore",
        type=Path,
        metavar="MASK",
        help="image as large as the frame, white where nothing is to be inspected; it is copied"
        " into the recipe's folder. Draw it 16 pixels wider than what it is to hide",
    )
    add.add_argument("--deadline-ms", type=int, help="from exposure to verdict")
    add.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        help=f"where the daemon will compute (default here: {DEVICE})",
    )
    add.add_argument(
        "--threads",
        type=int,
        help=f"CPU threads, part of the engine's fingerprint (default here: {THREADS})",
    )


def _add_end(add: argparse._ArgumentGroup) -> None:
    add.add_argument("--dry-run", action="store_true", help="do all, but write nothing")
    add.add_argument(
        "--yes", action="store_true", help="activate it even if it is not RECALIBRATED"
    )
    add.add_argument("--report", type=Path, metavar="FILE", help="write an HTML page with pictures")
    add.add_argument("--json", type=Path, metavar="FILE", help="write what acceptance found")
