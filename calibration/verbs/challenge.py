"""``effad-calibrate challenge``: the known rejects that a shift starts with, each must be FAIL."""

import argparse
import getpass
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from calibration.challenge import MOST, Show, journal, live, missed, of_images
from calibration.judged import by_part, engine_of, judged
from calibration.sources.folder import FolderSource
from calibration.sources.options import CONTROL, add_reach, daemon_of
from daemon.messages import Kind
from daemon.requests import Challenged
from models import recipe as recipes
from models.errors import InputError
from models.recipe import LoadedRecipe

MISSED = 1  # exit status


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "challenge",
        help="show the known rejects: each must be FAIL",
        description="Show known rejects, as images (--images) or to the running daemon (--parts or"
        " --names), and say which were not FAIL. With --daemon the result is kept in its journal"
        " (effad-journal report), and an alarm is raised if one was missed. Status: 0 all are FAIL,"
        " 1 not all, 2 wrong usage.",
    )
    verb.add_argument("recipe", type=Path, help="folder of the recipe")
    shown = verb.add_mutually_exclusive_group(required=True)
    shown.add_argument("--images", type=Path, metavar="FOLDER", help="images of known rejects")
    shown.add_argument("--parts", type=int, metavar="N", help="the daemon's next N parts are those")
    shown.add_argument("--names", nargs="+", metavar="NAME", help="likewise, each with its name")
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--trigger", action="store_true", help="live: send the software triggers")
    how.add_argument("--announce", action="store_true", help="live: announce parts as a PLC does")
    verb.add_argument(
        "--daemon",
        nargs="?",
        const=CONTROL,
        metavar="ENDPOINT",
        help=f"the running daemon; its sockets.control [{CONTROL}]",
    )
    add_reach(verb)
    verb.add_argument(
        "--patience", type=float, default=60.0, metavar="SECONDS", help="[%(default)g]"
    )
    verb.add_argument("--operator", default=getpass.getuser(), help="who shows them [%(default)s]")
    verb.add_argument("--note", default="", help="kept with the result")
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Challenge a recipe; 0 if each known reject was FAIL."""
    if args.images is None and args.daemon is None:
        raise InputError("--parts and --names are shown to the running daemon; add --daemon")
    recipe = recipes.load(args.recipe)
    results = _of_images(args.images, recipe) if args.images else _live(args, recipe)
    if args.daemon is not None:
        journal(daemon_of(args), recipe, results, operator=args.operator, note=args.note)
    not_fail = missed(results)
    if args.json:
        found = [one.model_dump(mode="json") for one in results]
        print(json.dumps({"shown": len(results), "missed": len(not_fail), "results": found}))
    else:
        _tell(results, not_fail, kept=args.daemon is not None)
    return MISSED if not_fail else 0


def _of_images(folder: Path, recipe: LoadedRecipe) -> list[Challenged]:
    source = FolderSource.defects(folder)
    _check_count(len({part for _, part in source.images}))
    frames = track(
        source, "looking", total=source.total, console=Console(stderr=True), transient=True
    )
    return list(of_images(by_part(judged(frames, recipe, engine_of(recipe)), recipe), recipe))


def _live(args: argparse.Namespace, recipe: LoadedRecipe) -> list[Challenged]:
    names = args.names or [f"reject {number}" for number in range(1, args.parts + 1)]
    _check_count(len(names))
    how = "trigger" if args.trigger else "announce" if args.announce else "wait"
    show = Show(tuple(names), how, args.patience, _prompt)
    return list(live(daemon_of(args), show, recipe))


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST:
        raise InputError(f"{count} known rejects: 1 to {MOST} are allowed")


def _prompt(line: str) -> None:
    sys.stderr.write(f"show {line}\n")
    sys.stderr.flush()


def _tell(results: list[Challenged], not_fail: list[Challenged], *, kept: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("known reject", "seq", "verdict", "score", "threshold"):
        table.add_column(head, justify="left" if head in ("known reject", "verdict") else "right")
    for one in results:
        ok = one.verdict is Kind.FAIL
        table.add_row(
            Text(one.name),
            str(one.seq or "-"),
            Text(str(one.verdict), "" if ok else "bold red"),
            "-" if one.score is None else f"{one.score:.4f}",
            "-" if one.threshold is None else f"{one.threshold:.4f}",
        )
    Console(highlight=False).print(table)
    if not_fail:
        print(
            f"{len(not_fail)} of {len(results)} known rejects are NOT FAIL: do not start the line;"
            " clean the lens, check light and focus (effad-calibrate aim), calibrate again"
        )
    else:
        print(f"all {len(results)} known rejects are FAIL")
    print("kept in the daemon's journal" if kept else "not kept anywhere: that takes --daemon")
