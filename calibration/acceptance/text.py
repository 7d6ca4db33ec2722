"""Acceptance at a terminal: the numbers, what stands out, and the answer in a line."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from calibration.acceptance.answer import Acceptance, Answer

_STYLES = {
    Answer.RECALIBRATED: "bold green",
    Answer.LIGHTING_CHANGED: "bold yellow",
    Answer.SUSPECT_PARTS: "bold yellow",
    Answer.NEEDS_RETRAINING: "bold red",
}


def told(acceptance: Acceptance) -> Iterator[RenderableType]:
    """Yield what to print, from the numbers to the answer."""
    yield _checks(acceptance)
    if acceptance.suspects:
        yield _suspects(acceptance)
        names = " ".join(suspect.name for suspect in acceptance.suspects)
        yield Text(f"calibrate again with --without-suspects, or with --leave-out {names}")
    for check in acceptance.failed:
        yield Text(check.says)
    answer = acceptance.answer
    yield Text.assemble((str(answer), _STYLES[answer]), f": {answer.says}")


def _checks(acceptance: Acceptance) -> Table:
    table = Table("", "now", "at training", "allowed", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for check in acceptance.checks:
        style = "" if check.fails is None else _STYLES[check.fails]
        table.add_row(
            check.name,
            Text(f"{check.value:.4g}", style),
            "-" if check.reference is None else f"{check.reference:.4g}",
            check.limit,
        )
    return table


def _suspects(acceptance: Acceptance) -> Table:
    table = Table("suspect", "score", "why", box=None)
    for suspect in acceptance.suspects:
        table.add_row(
            suspect.name,
            f"{suspect.score:.4f}",
            suspect.says,
        )
    return table
