"""A comparison as a table: at a terminal, as Markdown, and as an HTML page with a chart."""

from collections.abc import Sequence
from html import escape

from rich.markup import escape as plain
from rich.table import Table

from models.errors import InputError
from training.evaluation.charts import Axes, Line, lines, span
from training.evaluation.comparison import METRICS, Cell, Row
from training.evaluation.page import page, quiet, section, table
from training.evaluation.result import MAPS, au_pro_key

METHODS = {"local": "student (local)", "global": "autoencoder (global)", "fused": "both (fused)"}
EXPLAINED = (
    "In percent. ± is the standard deviation over seeds. Differences are to the first run on the"
    " same map, with paired {level:.0%} intervals over the test parts; a difference whose interval"
    " holds 0 may be chance."
)


def heads(rows: Sequence[Row]) -> list[str]:
    settings = list(rows[0].settings)
    return ["run", "seeds", *settings, "map", *METRICS.values()]


def cells(row: Row) -> list[str]:
    return [
        row.name,
        str(row.seeds),
        *row.settings.values(),
        METHODS[row.map],
        *(_said(row.cells[key]) for key in METRICS),
    ]


def _said(cell: Cell) -> str:
    """Show a cell: 97.85 ± 0.12, +0.40 (-0.10 to 0.90)."""
    if cell.mean is None:
        return "-"
    said = f"{100 * cell.mean:.2f}"
    if cell.spread is not None:
        said += f" ± {100 * cell.spread:.2f}"
    if cell.difference is not None:
        said += f", {100 * cell.difference:+.2f}"
        if cell.low is not None and cell.high is not None:
            said += f" ({100 * cell.low:.2f} to {100 * cell.high:.2f})"
    return said


def terminal(rows: Sequence[Row]) -> Table:
    made = Table()
    for name in heads(rows):
        made.add_column(plain(name), overflow="fold")
    for n, row in enumerate(rows):
        if n and row.map != rows[n - 1].map:
            made.add_section()
        made.add_row(*map(plain, cells(row)))
    return made


def markdown(rows: Sequence[Row], level: float) -> str:
    found = [heads(rows), ["---"] * len(heads(rows)), *map(cells, rows)]
    made = ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in found]
    return "\n".join([*made, "", EXPLAINED.format(level=level), ""])


def html(rows: Sequence[Row], level: float, over: str | None) -> str:
    names = list(dict.fromkeys(row.name for row in rows))
    body = [[_two_lines(cell) for cell in cells(row)] for row in rows]
    content = [
        section("Side by side", table(heads(rows), body) + quiet(EXPLAINED.format(level=level)))
    ]
    if over is not None:
        content.append(
            "<div class=columns>"
            + "".join(
                section(f"{METRICS[key]} over {over}", _chart(rows, key, over))
                for key in ("auroc", au_pro_key(0.3))
            )
            + "</div>"
        )
    return page("effad comparison", "Comparison", ", ".join(names), content)


def _two_lines(said: str) -> str:
    """Put a difference below its value: a page is no wider than a screen."""
    value, comma, difference = said.partition(", ")
    return escape(value) + (f"<br><small>{escape(difference)}</small>" if comma else "")


def check_over(rows: Sequence[Row], over: str) -> None:
    """Raise ``InputError`` unless a chart can be drawn over this setting."""
    if over not in rows[0].settings:
        allowed = ", ".join(rows[0].settings) or "none"
        raise InputError(f"--over {over}: no setting that differs; those that do are: {allowed}")
    for row in rows:
        try:
            float(row.settings[over])
        except ValueError as error:
            raise InputError(
                f"--over {over}: {row.name} has {row.settings[over]!r}, which is no number"
            ) from error


def _chart(rows: Sequence[Row], key: str, over: str) -> str:
    drawn = []
    for name in MAPS:
        points = sorted(
            (float(row.settings[over]), 100 * mean)
            for row in rows
            if row.map == name and (mean := row.cells[key].mean) is not None
        )
        if points:
            drawn.append(Line(f"{name} map", name, points))
    if not drawn:
        return quiet("undefined for all runs")
    places = [point for line in drawn for point in line.points]
    axes = Axes(span([x for x, _ in places]), span([y for _, y in places]), over, "%")
    return lines(axes, drawn, dots=True)
