"""The line that effad inspects: settings, recipes, what the journal says of the last days."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from daemon.archive.record import IMAGE
from daemon.assembly import state_folder
from daemon.journal.filters import Filter
from daemon.journal.reader import JournalReader
from daemon.journal.report import report
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
    wanted = Filter(since_ns=since_ns, limit=_VERDICTS)

    def told() -> str:
        with JournalReader(folder) as reader:
            return text(report(reader, Filter(since_ns=since_ns)))

    def alarms() -> str:
        with JournalReader(folder) as reader:
            found = report(reader, Filter(since_ns=since_ns)).alarms
        return "".join(json.dumps(asdict(alarm)) + "\n" for alarm in found)

    def verdicts() -> str:
        with JournalReader(folder) as reader:
            documents = [row.document for row in reader.query(wanted)]
        if not parts:
            documents = [{**document, "part": None} for document in documents]
        return "".join(json.dumps(document) + "\n" for document in documents)

    return {"report.txt": told, "alarms.jsonl": alarms, "verdicts.jsonl": verdicts}


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


def images(settings: Settings, count: int) -> list[Path]:
    """Give the newest images that were kept, with the records beside them."""
    folder = state_folder(settings) / settings.images.folder
    newest = sorted(folder.rglob(f"*{IMAGE}"), key=lambda path: path.stat().st_mtime)[-count:]
    return [beside for path in newest for beside in sorted(path.parent.glob(f"{path.stem}.*"))]
