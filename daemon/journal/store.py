"""The journal of a daemon: a verdict is in it before anybody is told."""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Self

from daemon.journal import files
from daemon.journal.database import Database, record_epoch
from daemon.journal.entries import (
    REQUEST_LIMIT,
    AuditEntry,
    ChallengeEntry,
    Durability,
    Entry,
    JournalError,
    LateResult,
    OperatorWord,
    PreviousEnd,
)
from daemon.journal.rows import AMENDED, LATE, VERDICT, late_row, verdict_row
from daemon.messages import Alarm
from models.errors import InputError

_AUDIT = """
INSERT INTO audit (time_ns, peer, command, station, request, ok, error) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_CHALLENGE = """
INSERT INTO challenge (time_ns, station, operator, recipe, recipe_version, shown, missed, results,
                       note, peer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ALARM = """
INSERT INTO alarm (time_ns, epoch, code, station, camera, text, since_ns, until_ns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_OVERRIDE = """
INSERT INTO override (station, seq, kind, operator, note, time_ns, peer)
SELECT station, seq, ?, ?, ?, ?, ? FROM verdict WHERE station = ? AND seq = ?
"""


def _unheard(aside: Path, why: str) -> None:
    """What is done about a journal set aside while nobody listens: ``set_aside`` tells."""


class Journal:
    """Every method may be called from any thread.

    All that write raise ``JournalError`` if the journal cannot be written; nothing of the call is
    in it then, and the next may succeed.
    """

    def __init__(self, database: Database, lock: int) -> None:
        self.database = database  # for the keeper
        self._lock = lock
        self.last: Mapping[str, int] = dict(database.last)  # newest seq of each station at open
        self.previous = database.write(_previous)  # how the epoch before this one ended

    @classmethod
    def open(
        cls,
        folder: Path,
        durability: Durability,
        epoch: int,
        code: str = "",
        on_set_aside: Callable[[Path, str], None] = _unheard,
    ) -> Self:
        """Take the folder, made if it is not there, for this process and begin an epoch.

        A damaged journal is set aside: see ``set_aside``. If one is found damaged later,
        ``on_set_aside`` is told its new name and why, in the thread that found it, and may use the
        journal. ``code`` is the version of effad. Raises ``InputError`` if the folder cannot be
        used, is another effad's, or holds a newer effad's journal.
        """
        with files.failing_as(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = files.lock(folder)
            try:
                database = Database(folder, durability, (epoch, code), on_set_aside)
                journal = cls(database, lock)
                database.write(lambda connection: record_epoch(connection, epoch, code))
            except JournalError as error:
                os.close(lock)
                raise InputError(str(error)) from error
            except BaseException:
                os.close(lock)
                raise
        return journal

    @property
    def set_aside(self) -> Path | None:
        """What was found damaged, at open or since, under its new name."""
        return self.database.set_aside

    @property
    def set_aside_why(self) -> str:
        return self.database.why

    def commit(self, entries: Sequence[Entry | LateResult]) -> None:
        """Write all in one transaction; when it returns they are durable as promised.

        Raises ``sqlite3.IntegrityError`` for a seq that is there already: a fault in effad.
        """
        self._write(VERDICT, entries)

    def amend(self, entries: Sequence[Entry | LateResult]) -> None:
        """Change verdicts that were committed and not published: their deadline passed meanwhile.

        As durable as ``commit``. A verdict that is not there, as in a file begun anew because of
        damage, is added.
        """
        self._write(AMENDED, entries)

    def size(self) -> int:
        """Give the bytes of the database and its write-ahead log."""
        path = self.database.path
        return sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())

    def audit(self, entry: AuditEntry) -> None:
        """Keep who commanded what."""
        row = (
            entry.time_ns,
            entry.peer,
            entry.command,
            entry.station,
            entry.request[:REQUEST_LIMIT],
            entry.ok,
            entry.error,
        )
        self.database.write(lambda connection: connection.execute(_AUDIT, row), single=True)

    def alarm(self, alarm: Alarm) -> None:
        """Keep an alarm as it is published."""
        row = (
            alarm.time_ns,
            alarm.epoch,
            alarm.code,
            alarm.station,
            alarm.camera,
            alarm.text,
            alarm.since_ns,
            alarm.until_ns,
        )
        self.database.write(lambda connection: connection.execute(_ALARM, row), single=True)

    def challenge(self, entry: ChallengeEntry) -> None:
        """Keep what known rejects were judged."""
        row = astuple(entry)
        self.database.write(lambda connection: connection.execute(_CHALLENGE, row), single=True)

    def override(self, word: OperatorWord) -> None:
        """Keep an operator's word on a verdict; of several the newest counts.

        Raises ``InputError`` if the journal has no such verdict.
        """
        row = (word.verdict, word.operator, word.note, word.time_ns, word.peer)
        key = (word.station, word.seq)
        if not self.database.write(
            lambda connection: connection.execute(_OVERRIDE, (*row, *key)).rowcount, single=True
        ):
            newest = self.database.last.get(word.station)
            raise InputError(
                f"no verdict {word.seq} of station {word.station!r} in the journal: "
                + (f"its newest is {newest}" if newest else "it has none of that station")
                + "; older ones may have been removed by retention"
            )

    def ended(self) -> None:
        """Record that this epoch ended in order: every trigger has its verdict."""
        self.database.write(_end)

    def close(self) -> None:
        """Give the folder back. The keeper must have stopped."""
        try:
            self.database.close()
        finally:
            os.close(self._lock)

    def _write(self, sql: str, entries: Sequence[Entry | LateResult]) -> None:
        verdicts = [verdict_row(entry) for entry in entries if isinstance(entry, Entry)]
        late = [late_row(entry) for entry in entries if isinstance(entry, LateResult)]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(sql, verdicts)
            connection.executemany(LATE, late)

        if len(verdicts) == 1 and not late:
            row = verdicts[0]
            self.database.write(lambda connection: connection.execute(sql, row), single=True)
        elif entries:
            self.database.write(work)
        last = self.database.last
        for row in verdicts:
            last[row[0]] = max(row[1], last.get(row[0], 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _previous(connection: sqlite3.Connection) -> PreviousEnd | None:
    found = connection.execute(
        "SELECT epoch, started_ns, ended_ns FROM epoch ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    epoch, started_ns, ended_ns = found
    (newest_ns,) = connection.execute(
        "SELECT max(published_ns) FROM (SELECT published_ns, epoch FROM verdict"
        " ORDER BY id DESC LIMIT 1) WHERE epoch = ?",
        (epoch,),
    ).fetchone()
    times = (started_ns, ended_ns or 0, newest_ns or 0)
    return PreviousEnd(epoch, ended_ns is not None, max(times))


def _end(connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE epoch SET ended_ns = ? WHERE id = (SELECT max(id) FROM epoch)", (time.time_ns(),)
    )
