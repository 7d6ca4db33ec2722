"""Verdicts as a table for people."""

import sys
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon.journal.filters import Row, recipe_of
from daemon.messages import Kind

STYLES = {Kind.PASS: "green", Kind.FAIL: "bold red", Kind.NO_VERDICT: "bold yellow"}
_WIDE = 250  # columns where there is no terminal


def printable(text: str) -> str:
    """Give text of others without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def local(time_ns: int) -> str:
    """Give a time for people: local, with milliseconds."""
    when = datetime.fromtimestamp(time_ns // 10**9)
    return f"{when:%Y-%m-%d %H:%M:%S}.{time_ns // 10**6 % 1000:03d}"


def console() -> Console:
    """Give standard output: cut to the terminal's width, or wide where it is read by a program."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def table(rows: Iterable[Row]) -> Table:
    """Lay out verdicts, in the order given."""
    found = list(rows)
    lots = any(row.lot or row.serial for row in found)
    late = any(row.late for row in found)
    words = any(row.override for row in found)
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("time", no_wrap=True)
    made.add_column("station", no_wrap=True)
    made.add_column("seq", justify="right", no_wrap=True)
    made.add_column("part", overflow="fold")
    if lots:
        made.add_column("lot / serial", overflow="fold")
    made.add_column("verdict", no_wrap=True)
    made.add_column("score", justify="right", no_wrap=True)
    made.add_column("ms", justify="right", no_wrap=True)
    made.add_column("recipe", overflow="fold")
    made.add_column("where", no_wrap=True)
    if late:
        made.add_column("came too late", overflow="fold")
    if words:
        made.add_column("operator", overflow="fold")
    for row in found:
        cells: list[str | Text] = [
            local(row.published_ns),
            row.station,
            str(row.seq),
            Text(printable(row.part or "-")),
        ]
        if lots:
            cells.append(Text(printable(f"{row.lot or '-'} / {row.serial or '-'}")))
        cells += [
            _verdict(row),
            "-" if row.score is None else f"{row.score:.3f}",
            f"{row.latency_ns / 1e6:.0f}",
            Text(printable(recipe_of(row.recipe, row.recipe_version))),
            Text(printable(_where(row))),
        ]
        if late:
            cells.append(Text(printable(_late(row))))
        if words:
            cells.append(Text(printable(_word(row))))
        made.add_row(*cells)
    return made


def _verdict(row: Row) -> Text:
    said = str(row.verdict)
    if row.reason is not None:
        said += f"({row.reason})"
    text = Text(said, STYLES[row.verdict])
    return text.append(" bypassed", "yellow") if row.bypassed else text


def _where(row: Row) -> str:
    """Give the strongest region's place."""
    if row.verdict is not Kind.FAIL or not row.regions:
        return ""
    camera, region = max(row.regions, key=lambda found: found[1]["peak"])
    x, y = region["centroid"]
    return f"({x:.0f}, {y:.0f}) {camera}"


def _late(row: Row) -> str:
    return ", ".join(f"{late.camera}: {late.verdict} {late.score:.3f}" for late in row.late)


def _word(row: Row) -> str:
    word = row.override
    if word is None:
        return ""
    return f"{word.operator}: {word.verdict}" + (f" ({word.note})" if word.note else "")
