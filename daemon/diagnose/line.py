"""The line that effad inspects: settings, recipes, what the journal says of the last days."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from daemon.archive.record import IMAGE
from daemon.assembly import state_folder
from daemon.journal.filters import Filter
from daemon.journal.reader import JournalReader
from daemon.journal.report import Report, report
from daemon.journal.report_text import text
from daemon.settings import Settings
from models.recipe_library import folders

_VERDICTS = 2000  # the newest
_RECORDS = ("*.json", "*.jsonl")  # of a recipe and its bundle: neither weights nor pictures


def journal(settings: Settings, since_ns: int, *, parts: bool) -> dict[str, Callable[[], str]]:
    """Give report, alarms and newest verdicts, by the names of their files.

    Without ``parts`` no verdict names its part, lot or serial number.
    """
    folder = state_folder(settings)

    @cache
    def reported() -> Report:
        with JournalReader(folder) as reader:
            return report(reader, Filter(since_ns=since_ns))

    def verdicts() -> str:
        with JournalReader(folder) as reader:
            found = reader.query(Filter(since_ns=since_ns, limit=_VERDICTS))
            return _lines(r.document if parts else {**r.document, "part": None} for r in found)

    return {
        "report.txt": lambda: text(reported()),
        "alarms.jsonl": lambda: _lines(map(asdict, reported().alarms)),
        "verdicts.jsonl": verdicts,
    }


def _lines(documents: Iterable[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(document)}\n" for document in documents)


def recipes(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the records of each recipe that a station has or may change to, and their names."""
    found = {Path(station.recipe) for station in settings.stations if station.recipe}
    libraries = {Path(settings.recipes.folder)} if settings.recipes.folder else set()
    libraries |= {recipe.parent for recipe in found}
    for library in sorted(libraries):
        found |= set(folders(library))
    for recipe in sorted(found):
        for pattern in _RECORDS:
            for path in sorted(recipe.glob(pattern)) + sorted(recipe.glob(f"*/{pattern}")):
                yield f"recipes/{recipe.name}/{path.relative_to(recipe)}", path


def images(settings: Settings, count: int, *, parts: bool) -> Iterator[tuple[str, Path]]:
    """Yield the newest images that were kept; with ``parts`` also what lies beside them.

    The record of an image holds its verdict, which names the part.
    """
    folder = state_folder(settings) / settings.images.folder
    newest = sorted(folder.rglob(f"*{IMAGE}"), key=lambda path: path.stat().st_mtime)[-count:]
    for image in newest:
        for path in sorted(image.parent.glob(f"{image.stem}.*")) if parts else [image]:
            yield f"images/{path.name}", path
