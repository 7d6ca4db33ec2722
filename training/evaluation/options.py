"""What both verbs that look at images ask for: how, and on what."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.mode import Mode
from models.precision import Precision, fastest_precision
from training.data.read import LAYOUTS
from training.evaluation.bootstrap import Bootstrap
from training.evaluation.evaluate import Choice, Told


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options that ``choice_of`` reads, and ``--layout``."""
    verb.add_argument(
        "--layout", choices=LAYOUTS, help="of the data set (default: found by looking)"
    )
    verb.add_argument("--alpha", type=float, help="weight of the local map, 0 to 1 (default: 0.5)")
    verb.add_argument(
        "--mode",
        type=Mode,
        choices=[Mode.WHOLE, Mode.TILES, Mode.PYRAMID],
        help="scales to look at (default: all that the bundle has)",
    )
    verb.add_argument(
        "--global",
        dest="global_map",
        choices=["student", "teacher-autoencoder"],
        default="student",
        help="what the autoencoder is held against; the teacher where coeff_stae was 0",
    )
    verb.add_argument(
        "--resamples", type=int, default=1000, help="of the intervals (default: %(default)s)"
    )
    verb.add_argument("--seed", type=int, default=0, help="of the intervals")
    verb.add_argument(
        "--precision",
        type=Precision,
        choices=list(Precision),
        default=fastest_precision(),
        help="what the networks compute in; reduced: fp32 with thin layers, bf16: likewise"
        " (default here: %(default)s)",
    )
    verb.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="where they compute (default here: %(default)s)",
    )
    verb.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="CPU threads (default here: %(default)s)",
    )


def choice_of(args: argparse.Namespace, *, sweep: bool) -> Choice:
    """Give what the options ask for, without a recipe."""
    return Choice(
        alpha=0.5 if args.alpha is None else args.alpha,
        mode=args.mode,
        global_map=args.global_map,
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        sweep=sweep,
        intervals=Bootstrap(args.resamples, args.seed),
    )


@contextmanager
def told(console: Console) -> Iterator[Told]:
    """Show how far each stage is: a bar at a terminal, a line at its end in a log."""
    if not console.is_terminal:

        def line(stage: str, total: int, done: int) -> None:
            if done == total:
                console.print(f"{stage}: {done} of {total}", highlight=False)

        yield line
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        tasks = {}

        def advance(stage: str, total: int, done: int) -> None:
            if stage not in tasks or done == 1:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield advance
