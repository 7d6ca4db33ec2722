"""``effad-recipe list``: the recipes of a library, and what is wrong with them."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from daemon.recipes.health import examine
from daemon.recipes.say import say
from models import recipe_store as store
from models.errors import InputError
from models.recipe_library import current, folders

_HEADINGS = ("NUMBER", "NAME", "ACTIVE", "VERSIONS", "PARTS", "THRESHOLD", "CREATED", "BUNDLE")


@dataclass
class Row:
    """A recipe as the table shows it."""

    folder: str
    number: int | None = None
    name: str = ""
    active: int | None = None
    versions: int = 0
    bundle: str = ""
    parts: int | None = None
    threshold: float | None = None
    created: str = ""
    problem: str = ""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "list",
        help="the recipes of a library",
        description="List the recipes of a library, with what keeps each from being run. Status 1"
        " if there is something.",
    )
    verb.add_argument("library", type=Path, metavar="LIBRARY", help="folder of recipe folders")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    rows = survey(args.library)
    if args.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    else:
        _show(rows)
    return int(any(row.problem for row in rows))


def survey(library: Path) -> list[Row]:
    """Look at every recipe of a library; raises ``InputError`` if that is no folder."""
    rows = [_row(folder) for folder in folders(library)]
    names, numbers = Counter(row.name for row in rows), Counter(row.number for row in rows)
    for row in rows:
        if row.name and names[row.name] > 1:
            row.problem = row.problem or f"{names[row.name]} recipes are named {row.name}"
        if row.number is not None and numbers[row.number] > 1:
            row.problem = row.problem or f"{numbers[row.number]} recipes have number {row.number}"
    return rows


def _row(folder: Path) -> Row:
    row = Row(folder.name, versions=len(store.versions(folder)))
    try:
        row.active = store.active(folder)
        recipe = current(folder)
    except InputError as error:
        row.problem = str(error)
        return row
    row.number, row.name, row.created = recipe.id, recipe.name, recipe.created
    row.bundle = recipe.bundle
    health = examine(folder, recipe.version)
    if health.loaded is not None:
        row.parts = health.loaded.calibration.parts
        row.threshold = health.loaded.calibration.threshold
    row.problem = health.fault or ("" if row.active else "no version is active")
    return row


def _show(rows: list[Row]) -> None:
    lines = [_HEADINGS]
    for row in rows:
        lines.append(
            (
                _or_dash(row.number),
                row.name or row.folder,
                _or_dash(row.active),
                str(row.versions),
                _or_dash(row.parts),
                "-" if row.threshold is None else f"{row.threshold:.4f}",
                row.created or "-",
                row.bundle or "-",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip())
    say(*(f"{row.name or row.folder}: {row.problem}" for row in rows if row.problem))


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
