"""A result at a terminal: one screen."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.evaluation.image_metrics import NAMES
from training.evaluation.report import PIXEL_NAMES
from training.evaluation.result import MAPS, Result, Value


def show(result: Result, console: Console) -> None:
    """Print metrics with intervals, what each type of defect gives, and what they rest on."""
    made = Table(title=escape(f"{result.bundle.name} on {result.data.name}"), title_justify="left")
    made.add_column("metric", no_wrap=True)
    for name in MAPS:
        made.add_column(f"{name} map", justify="right")
    maps = [result.maps[name] for name in MAPS]
    for name, said in NAMES.items():
        short = said.replace("a false reject rate of", "FRR").replace("the best", "best")
        made.add_row(short, *(_cell(m.images[name]) for m in maps))
    made.add_section()
    for name, said in PIXEL_NAMES.items():
        short = said.replace("up to a false positive rate of", "to FPR")
        made.add_row(short, *(_cell(m.pixels[name]) for m in maps))
    if result.maps["fused"].parts is not None:
        made.add_section()
        made.add_row("AUROC of parts", *(_cell((m.parts or {})["auroc"]) for m in maps))
    if result.data.defects:
        made.add_section()
    for kind, count in result.data.defects.items():
        made.add_row(
            escape(f"AUROC, {kind} ({count})"),
            *(_cell(m.defects[kind].values["auroc"]) for m in maps),
        )
    console.print(made)
    for note in result.notes:
        console.print(escape(note), highlight=False)
    for warning in result.warnings:
        console.print(f"[bold]warning:[/bold] {escape(warning)}", highlight=False)


def _cell(value: Value) -> str:
    if value.value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.value:.4f}"
    return f"{value.value:.4f} [dim]{value.low:.3f}-{value.high:.3f}[/dim]"
