"""The journal's tables."""

import sqlite3

#: ``PRAGMA user_version`` of a journal that this effad writes.
FORMAT = 1
#: Bytes. A commit writes each changed page whole, so that small ones halve what a commit costs
#: (measured against 4096 by tests/bench/journal_bench.py), and a header fits in one or two.
PAGE = 1024

_TABLES = """
CREATE TABLE verdict (
    id INTEGER PRIMARY KEY,      -- in the order of commits
    station TEXT NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    published_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT,
    part_id TEXT,
    lot TEXT,
    serial TEXT,
    recipe TEXT,                 -- null where the station had none
    recipe_version INTEGER,
    score REAL,
    bypassed INTEGER NOT NULL,
    latency_ns INTEGER NOT NULL, -- published less triggered
    header TEXT NOT NULL,        -- JSON exactly as published
    UNIQUE (station, seq)
) STRICT;
CREATE INDEX verdict_published ON verdict (published_ns);
CREATE INDEX verdict_part ON verdict (part_id) WHERE part_id IS NOT NULL;
CREATE TABLE late (              -- results that came after their NO_VERDICT(late)
    station TEXT NOT NULL,
    seq INTEGER NOT NULL,
    camera TEXT NOT NULL,
    kind TEXT NOT NULL,
    score REAL NOT NULL,
    regions TEXT NOT NULL,       -- JSON
    inferred_ns INTEGER NOT NULL,
    PRIMARY KEY (station, seq, camera)
) STRICT, WITHOUT ROWID;
CREATE TABLE override (          -- operators' words; of several on a verdict the newest counts
    id INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    operator TEXT NOT NULL,
    note TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    peer TEXT NOT NULL
) STRICT;
CREATE INDEX override_verdict ON override (station, seq);
CREATE TABLE audit (             -- who commanded what
    id INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    peer TEXT NOT NULL,
    command TEXT NOT NULL,
    station TEXT,
    request TEXT NOT NULL,
    ok INTEGER NOT NULL,
    error TEXT
) STRICT;
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    code TEXT NOT NULL,
    station TEXT,
    camera TEXT,
    text TEXT NOT NULL,
    since_ns INTEGER,
    until_ns INTEGER
) STRICT;
CREATE TABLE epoch (             -- runs of the daemon
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL UNIQUE,
    started_ns INTEGER NOT NULL,
    ended_ns INTEGER,            -- of an orderly end
    code TEXT NOT NULL
) STRICT;
CREATE TABLE origin (            -- newest seq of each station in the journal before this one
    station TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
NUMBERED = ("verdict", "override", "audit", "alarm", "epoch")  # have an id
TABLES = frozenset({*NUMBERED, "late", "origin"})

#: What a challenge said (``daemon.requests.Challenge``). Younger than the other tables, so that a
#: journal may lack it until a daemon has opened it.
CHALLENGE_TABLE = """
CREATE TABLE IF NOT EXISTS challenge (
    id INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    station TEXT NOT NULL,
    operator TEXT NOT NULL,
    recipe TEXT NOT NULL,
    recipe_version INTEGER NOT NULL,
    shown INTEGER NOT NULL,      -- known rejects
    missed INTEGER NOT NULL,     -- of those, that were not FAIL
    results TEXT NOT NULL,       -- JSON, in the order shown
    note TEXT NOT NULL,
    peer TEXT NOT NULL
) STRICT
"""

#: Stations that have verdicts, found by a step of the index each.
STATIONS = """
WITH RECURSIVE found(station) AS (
    SELECT min(station) FROM verdict
    UNION ALL
    SELECT (SELECT min(station) FROM verdict WHERE station > found.station)
    FROM found WHERE station IS NOT NULL
)
SELECT station FROM found WHERE station IS NOT NULL
"""
NEWEST = "SELECT id, seq FROM verdict WHERE station = ? ORDER BY seq DESC LIMIT 1"


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in a new, empty file."""
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {FORMAT};COMMIT;")


def newest(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Give the id and seq of each station's newest verdict."""
    found = {}
    for (station,) in connection.execute(STATIONS).fetchall():
        found[station] = connection.execute(NEWEST, (station,)).fetchone()
    return found


def last_seq(connection: sqlite3.Connection) -> dict[str, int]:
    """Give each station's newest seq, though its verdict be in a journal before this one."""
    last: dict[str, int] = dict(connection.execute("SELECT station, seq FROM origin"))
    for station, (_, seq) in newest(connection).items():
        last[station] = max(seq, last.get(station, 0))
    return last
