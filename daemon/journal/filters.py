"""Which verdicts are asked for, and a verdict as the journal has it."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from daemon.messages import Kind, Reason


@dataclass(frozen=True)
class Filter:
    """Verdicts that agree with all that is given."""

    since_ns: int | None = None  # published then or later
    until_ns: int | None = None  # published before
    station: str | None = None
    part: str | None = None
    lot: str | None = None
    serial: str | None = None
    recipe: str | None = None
    verdict: Kind | None = None
    reason: Reason | None = None
    late: bool = False  # only those whose result came too late
    limit: int | None = None  # the newest so many

    def where(self) -> tuple[str, dict[str, Any]]:
        """Give the condition on table verdict, named v, and its parameters."""
        equal = {
            "station": self.station,
            "part_id": self.part,
            "lot": self.lot,
            "serial": self.serial,
            "recipe": self.recipe,
            "kind": self.verdict,
            "reason": self.reason,
        }
        given: dict[str, Any] = {name: value for name, value in equal.items() if value is not None}
        terms = [f"v.{name} = :{name}" for name in given]
        if self.since_ns is not None:
            terms.append("v.published_ns >= :since")
            given["since"] = self.since_ns
        if self.until_ns is not None:
            terms.append("v.published_ns < :until")
            given["until"] = self.until_ns
        if self.late:
            terms.append(
                "EXISTS (SELECT 1 FROM late l WHERE (l.station, l.seq) = (v.station, v.seq))"
            )
        return " AND ".join(terms) or "1", given


@dataclass(frozen=True)
class LateView:
    """What a camera's view would have been, had it come in time."""

    camera: str
    verdict: Kind
    score: float
    inferred_ns: int
    regions: list[dict[str, Any]]


@dataclass(frozen=True)
class Word:
    """The newest word of an operator on a verdict."""

    verdict: Kind
    operator: str
    note: str
    time_ns: int
    peer: str


def recipe_of(name: str | None, version: int | None) -> str:
    """Name a recipe with its version; a dash where there was none."""
    return "-" if name is None else f"{name} v{version}"


@dataclass(frozen=True)
class Row:
    """A verdict with what was said of it since."""

    station: str
    seq: int
    epoch: int
    published_ns: int
    verdict: Kind
    reason: Reason | None
    part: str | None
    lot: str | None
    serial: str | None
    recipe: str | None  # null where the station had none, as the version
    recipe_version: int | None
    score: float | None
    bypassed: bool
    latency_ns: int
    header: bytes  # JSON exactly as published
    override: Word | None
    late: tuple[LateView, ...]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The verdict as it was published."""
        loaded: dict[str, Any] = json.loads(self.header)
        return loaded

    @property
    def regions(self) -> list[tuple[str, dict[str, Any]]]:
        """Each region with its camera."""
        return [
            (view["camera"], region)
            for view in self.document["views"]
            for region in view.get("regions", ())
        ]


COLUMNS = """
v.station, v.seq, v.epoch, v.published_ns, v.kind, v.reason, v.part_id, v.lot, v.serial, v.recipe,
v.recipe_version, v.score, v.bypassed, v.latency_ns, v.header,
o.kind, o.operator, o.note, o.time_ns, o.peer,
(SELECT json_group_array(json_array(l.camera, l.kind, l.score, l.inferred_ns, json(l.regions)))
 FROM late l WHERE l.station = v.station AND l.seq = v.seq)
"""
#: The tables of COLUMNS: a verdict, and the newest word on it.
TABLES = """
verdict v LEFT JOIN override o
ON o.id = (SELECT max(w.id) FROM override w WHERE w.station = v.station AND w.seq = v.seq)
"""


def row(values: tuple[Any, ...]) -> Row:
    """Make a row of COLUMNS."""
    published, joined = values[:15], values[15:]
    station, seq, epoch, published_ns, kind, reason, *_ = published
    part, lot, serial, recipe, version, score, bypassed, latency_ns, header = published[6:]
    word, late = joined[:5], joined[5]
    return Row(
        station=station,
        seq=seq,
        epoch=epoch,
        published_ns=published_ns,
        verdict=Kind(kind),
        reason=None if reason is None else Reason(reason),
        part=part,
        lot=lot,
        serial=serial,
        recipe=recipe,
        recipe_version=version,
        score=score,
        bypassed=bool(bypassed),
        latency_ns=latency_ns,
        header=header.encode(),
        override=None if word[0] is None else Word(Kind(word[0]), *word[1:]),
        late=tuple(
            LateView(camera, Kind(kind), score, inferred_ns, regions)
            for camera, kind, score, inferred_ns, regions in json.loads(late)
        ),
    )
