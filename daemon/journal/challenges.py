"""What known rejects were judged, shift by shift."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from daemon.journal.filters import Filter
from daemon.journal.reader import JournalReader
from daemon.messages import Kind

_MOST = 200  # told one by one, the newest
_WHERE = """
time_ns >= :since AND time_ns < :until AND (:station IS NULL OR station = :station)
AND (:recipe IS NULL OR recipe = :recipe)
"""


@dataclass(frozen=True)
class ChallengeLine:
    """A time that known rejects were shown."""

    time_ns: int
    station: str
    operator: str
    recipe: str
    recipe_version: int
    shown: int
    missed: int  # that were not FAIL
    results: list[dict[str, Any]]  # ``daemon.requests.Challenged``, in the order shown
    note: str

    @property
    def ok(self) -> bool:
        return self.missed == 0

    @cached_property
    def missed_names(self) -> list[str]:
        """Name what was not FAIL, with its score against the threshold."""
        return [_named(one) for one in self.results if one["verdict"] != Kind.FAIL]


def challenges(reader: JournalReader, wanted: Filter) -> list[ChallengeLine]:
    """Give the newest challenges of an interval, oldest first; both its bounds are needed."""
    if not reader.select("SELECT 1 FROM sqlite_schema WHERE name = 'challenge'"):
        return []  # written by an effad that knew of none
    rows = reader.select(
        "SELECT time_ns, station, operator, recipe, recipe_version, shown, missed, results, note"  # noqa: S608 (ours)
        f" FROM challenge WHERE {_WHERE} ORDER BY id DESC LIMIT {_MOST}",
        {
            "since": wanted.since_ns,
            "until": wanted.until_ns,
            "station": wanted.station,
            "recipe": wanted.recipe,
        },
    )
    return [_line(row) for row in reversed(rows)]


def _line(row: tuple[Any, ...]) -> ChallengeLine:
    time_ns, station, operator, recipe, version, shown, missed, results, note = row
    found = json.loads(results)
    return ChallengeLine(time_ns, station, operator, recipe, version, shown, missed, found, note)


def _named(one: dict[str, Any]) -> str:
    score, threshold = one.get("score"), one.get("threshold")
    if score is None or threshold is None:
        return f"{one['name']}: {one['verdict']}"
    return f"{one['name']}: {one['verdict']}, score {score:.3f} < {threshold:.3f}"
