"""Progress of long runs: a bar at a terminal, a line now and then in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 15.0  # seconds, where there is no terminal


class Report(Protocol):
    def __call__(self, step: int, loss: float) -> None: ...


@contextmanager
def progress(what: str, steps: int) -> Iterator[Report]:
    """Show how far a run of so many steps is, and its loss."""
    console = Console(stderr=True)
    if not console.is_terminal:
        said = -LINE_EVERY

        def line(step: int, loss: float) -> None:
            nonlocal said
            if time.monotonic() - said >= LINE_EVERY or step == steps:
                said = time.monotonic()
                console.print(f"{what}: step {step} of {steps}, loss {loss:.4f}", highlight=False)

        yield line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=steps, loss=float("nan"))
        yield lambda step, loss: bar.update(task, completed=step, loss=loss)
