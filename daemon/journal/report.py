"""What a shift was like, in numbers."""

import time
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from daemon.journal.challenges import ChallengeLine, challenges
from daemon.journal.filters import Filter, recipe_of
from daemon.journal.places import Places, find_places
from daemon.journal.reader import JournalReader
from daemon.messages import Kind

_PAGE = 10_000
_QUARTER = 900 * 10**9  # ns: time zones differ by multiples of it
_HOURLY = timedelta(hours=72)  # a longer interval is told by day
_ALARMS = 200  # told one by one


class _Key(NamedTuple):
    """What verdicts that are counted together have in common."""

    station: str
    kind: str
    reason: str | None
    recipe: str | None
    version: int | None
    bypassed: int
    quarter: int  # of an hour, that it was published in


_COLUMNS = """
v.station, v.kind, v.reason, v.recipe, v.recipe_version, v.bypassed, v.published_ns, v.latency_ns
"""


@dataclass(frozen=True)
class Latency:
    """From trigger to publication, in milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass
class Account:
    """Verdicts by kind. NO_VERDICT counts as a reject."""

    passed: int = 0
    failed: int = 0
    no_verdict: int = 0
    bypassed: int = 0  # of those passed: nobody looked at them
    latency: Latency | None = None

    @property
    def parts(self) -> int:
        return self.passed + self.failed + self.no_verdict

    @property
    def yield_(self) -> float | None:
        """The share of the parts that were to be inspected which passed."""
        asked = self.parts - self.bypassed
        return (self.passed - self.bypassed) / asked if asked else None

    def add(self, kind: str, bypassed: bool, count: int) -> None:
        self.passed += count * (kind == Kind.PASS)
        self.failed += count * (kind == Kind.FAIL)
        self.no_verdict += count * (kind == Kind.NO_VERDICT)
        self.bypassed += count * bypassed


@dataclass(frozen=True)
class Gap:
    """Seqs that the journal lacks: there must be none."""

    station: str
    first: int
    last: int


@dataclass(frozen=True)
class Bucket:
    """An hour, or a day of a long interval."""

    start: datetime  # local
    account: Account


@dataclass(frozen=True)
class AlarmLine:
    time_ns: int
    code: str
    station: str | None
    camera: str | None
    text: str


@dataclass
class Report:
    """Of the verdicts that agree with a filter."""

    since_ns: int
    until_ns: int
    total: Account = field(default_factory=Account)
    reasons: Counter[str] = field(default_factory=Counter)  # of NO_VERDICTs
    stations: dict[str, Account] = field(default_factory=dict)
    recipes: dict[str, Account] = field(default_factory=dict)  # by name and version
    by_day: bool = False
    course: list[Bucket] = field(default_factory=list)  # hour by hour, or day by day
    late: int = 0  # of NO_VERDICT(late): with a result that came too late
    words: Counter[tuple[str, str]] = field(default_factory=Counter)  # (effad's, operator's)
    places: list[Places] = field(default_factory=list)  # of each camera that rejected
    gaps: list[Gap] = field(default_factory=list)
    alarms: list[AlarmLine] = field(default_factory=list)  # the newest
    alarm_count: int = 0
    challenges: list[ChallengeLine] = field(default_factory=list)  # known rejects shown

    @property
    def missing(self) -> int:
        """Seqs in all gaps."""
        return sum(gap.last - gap.first + 1 for gap in self.gaps)

    @property
    def agreement(self) -> float | None:
        """The share of operators' words that say what effad said."""
        asked = sum(self.words.values())
        agreed = sum(count for (ours, theirs), count in self.words.items() if ours == theirs)
        return agreed / asked if asked else None


def report(reader: JournalReader, wanted: Filter) -> Report:
    """Count the verdicts that agree with a filter."""
    wanted = replace(wanted, until_ns=wanted.until_ns or time.time_ns())
    if wanted.since_ns is None:
        oldest = next(reader.columns("v.published_ns", wanted, 1), (0,))
        wanted = replace(wanted, since_ns=oldest[0])
    made = _count(reader, wanted)
    made.late = sum(1 for _ in reader.columns("1", replace(wanted, late=True), _PAGE))
    made.words = _words(reader, wanted)
    if wanted.verdict in (None, Kind.FAIL):
        made.places = find_places(reader.query(replace(wanted, verdict=Kind.FAIL)))
    made.gaps = [gap for station in made.stations for gap in _gaps(reader, wanted, station)]
    made.alarm_count, made.alarms = _alarms(reader, wanted)
    made.challenges = challenges(reader, wanted)
    return made


def _count(reader: JournalReader, wanted: Filter) -> Report:
    made = Report(wanted.since_ns or 0, wanted.until_ns or 0)
    made.by_day = made.until_ns - made.since_ns > _HOURLY.total_seconds() * 1e9
    counts: Counter[_Key] = Counter()
    took: defaultdict[_Key, array[int]] = defaultdict(lambda: array("q"))
    for *same, published_ns, latency_ns in reader.columns(_COLUMNS, wanted, _PAGE):
        key = _Key._make((*same, published_ns // _QUARTER))
        counts[key] += 1
        took[key].append(latency_ns)
    course: dict[datetime, Account] = {}
    latencies: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))  # by id of account
    for key, count in counts.items():
        for account in (
            made.total,
            made.stations.setdefault(key.station, Account()),
            made.recipes.setdefault(recipe_of(key.recipe, key.version), Account()),
            course.setdefault(_start(key.quarter, made.by_day), Account()),
        ):
            account.add(key.kind, bool(key.bypassed), count)
            latencies[id(account)].extend(took[key])
        if key.reason is not None:
            made.reasons[key.reason] += count
    for account in (
        made.total,
        *made.stations.values(),
        *made.recipes.values(),
        *course.values(),
    ):
        account.latency = _latency(latencies[id(account)])
    made.course = _course(course, made.by_day)
    return made


def _start(quarter: int, by_day: bool) -> datetime:
    """Give the local hour, or day, that a quarter of an hour lies in."""
    begun = datetime.fromtimestamp(quarter * _QUARTER // 10**9).replace(minute=0)
    return begun.replace(hour=0) if by_day else begun


def _course(found: dict[datetime, Account], by_day: bool) -> list[Bucket]:
    """Give the hours in order, with those between in which there was nothing.

    Where a clock was far wrong there are too many of those, and they are left out.
    """
    step = timedelta(days=1) if by_day else timedelta(hours=1)
    if not found or (max(found) - min(found)) / step > 400:
        return [Bucket(start, found[start]) for start in sorted(found)]
    count = round((max(found) - min(found)) / step) + 1
    starts = [min(found) + step * n for n in range(count)]
    return [Bucket(start, found.get(start, Account())) for start in starts]


def _latency(took: "array[int]") -> Latency | None:
    if not took:
        return None
    p50, p95, p99, largest = np.percentile(np.frombuffer(took, np.int64), [50, 95, 99, 100]) / 1e6
    return Latency(float(p50), float(p95), float(p99), float(largest))


def _words(reader: JournalReader, wanted: Filter) -> "Counter[tuple[str, str]]":
    where, given = wanted.where()
    rows = reader.select(
        "SELECT v.kind, w.kind, count(*) FROM override w"  # noqa: S608 (ours)
        " JOIN verdict v ON v.station = w.station AND v.seq = w.seq"
        " WHERE w.id = (SELECT max(x.id) FROM override x"
        "               WHERE x.station = w.station AND x.seq = w.seq)"
        f" AND {where} GROUP BY 1, 2",
        given,
    )
    return Counter({(ours, theirs): count for ours, theirs, count in rows})


def _gaps(reader: JournalReader, wanted: Filter, station: str) -> list[Gap]:
    """Give the seqs that are missing between a station's first and last verdict of the interval."""
    given = {"station": station, "since": wanted.since_ns, "until": wanted.until_ns}
    rows = reader.select(
        "SELECT seq + 1, next - 1 FROM ("
        " SELECT seq, lead(seq) OVER (ORDER BY seq) AS next FROM verdict WHERE station = :station"
        " AND seq BETWEEN (SELECT min(seq) FROM verdict WHERE station = :station"
        "                  AND published_ns >= :since AND published_ns < :until)"
        " AND (SELECT max(seq) FROM verdict WHERE station = :station"
        "      AND published_ns >= :since AND published_ns < :until)"
        ") WHERE next > seq + 1",
        given,
    )
    return [Gap(station, first, last) for first, last in rows]


def _alarms(reader: JournalReader, wanted: Filter) -> tuple[int, list[AlarmLine]]:
    """Give how many there were, and the newest, oldest first."""
    where = (
        "time_ns >= :since AND time_ns < :until"
        " AND (:station IS NULL OR station IS NULL OR station = :station)"
    )
    given = {"since": wanted.since_ns, "until": wanted.until_ns, "station": wanted.station}
    ((count,),) = reader.select(f"SELECT count(*) FROM alarm WHERE {where}", given)  # noqa: S608
    rows = reader.select(
        "SELECT time_ns, code, station, camera, text FROM alarm"  # noqa: S608
        f" WHERE {where} ORDER BY id DESC LIMIT {_ALARMS}",
        given,
    )
    return count, [AlarmLine(*row) for row in reversed(rows)]
