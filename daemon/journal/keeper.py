"""Keeps the journal within its bounds while commits go on."""

import sqlite3
import threading
import time
from dataclasses import dataclass

from daemon import log
from daemon.journal.checkpoint import Checkpointer
from daemon.journal.entries import JournalError
from daemon.journal.schema import newest
from daemon.journal.store import Journal

_DAY = 86_400 * 10**9  # ns
_BATCH = 100  # verdicts removed in one transaction: some ms for which a commit waits
_PAGES = 64  # given back in one transaction
_PAUSE = 0.005  # seconds between transactions, in which commits come first
_FULL, _SPARE = 0.95, 0.05  # of the size: what is left in use, and what is kept free for more
_ROWS = {  # at most
    "audit": 100_000,
    "alarm": 100_000,
    "challenge": 100_000,
    "override": 100_000,
    "epoch": 10_000,
}
_TIMES = {"audit": "time_ns", "alarm": "time_ns", "challenge": "time_ns"}


@dataclass(frozen=True)
class Retention:
    """What is kept: nothing older than days, and no more than fits; the oldest goes first."""

    days: float
    megabytes: float  # of the database file


class Keeper:
    """Removes old verdicts, gives space back and checkpoints, in a thread of its own."""

    def __init__(
        self,
        journal: Journal,
        retention: Retention,
        *,
        checkpoint_s: float = 1.0,
        retention_s: float = 60.0,
    ) -> None:
        self._database = journal.database
        self._retention = retention
        self._checkpoint_s = checkpoint_s
        self._retention_s = retention_s
        self._log = log.get("journal")

    def run(self, stop: threading.Event) -> None:
        """Keep the journal until told to stop. What cannot be written now is tried again."""
        checkpointer = Checkpointer(self._database)
        due = time.monotonic()
        failed = False
        try:
            while not stop.wait(self._checkpoint_s):
                try:
                    self._database.replace_if()
                    checkpointer.run()
                    if time.monotonic() >= due:
                        due = time.monotonic() + self._retention_s
                        self.tidy(stop)
                    failed = False
                except JournalError as error:
                    if not failed:  # once, not each second
                        self._log.warning("the journal is not kept in order", error=str(error))
                    failed = True
        finally:
            checkpointer.close()

    def tidy(self, stop: threading.Event) -> None:
        """Remove what is too old or too much, and give space back, in small transactions.

        A station's newest verdict stays, whatever its age: its seq goes on from there.
        """
        before = time.time_ns() - int(self._retention.days * _DAY)
        while self._remove_verdicts(before) and not stop.wait(_PAUSE):
            pass
        while self._remove_rest(before) and not stop.wait(_PAUSE):
            pass
        limit = int(self._retention.megabytes * 1_000_000)
        while self._used() > limit * _FULL and not stop.wait(_PAUSE):
            if not (self._remove_verdicts(None) or self._remove_rest(None)):
                break
        while self._give_back(limit) and not stop.wait(_PAUSE):
            pass

    def _remove_verdicts(self, before: int | None) -> int:
        return self._database.write(lambda connection: _remove_verdicts(connection, before))

    def _remove_rest(self, before: int | None) -> int:
        return self._database.write(lambda connection: _remove_rest(connection, before))

    def _used(self) -> int:
        """Bytes of the database that hold something."""
        pages, free, size = self._database.write(_space, single=True)
        return (pages - free) * size

    def _give_back(self, limit: int) -> bool:
        pages, free, size = self._database.write(_space, single=True)
        count = min(_PAGES, free - int(limit * _SPARE) // size)
        if count <= 0:
            return False
        # A script, as ``execute`` gives back one page of those asked for (it makes one step).
        script = f"PRAGMA incremental_vacuum({count})"
        self._database.write(lambda connection: connection.executescript(script), single=True)
        return self._database.write(_space, single=True)[0] < pages


def _space(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Give the database's pages, those of them that are free, and bytes a page."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return pages, free, size


def _remove_verdicts(connection: sqlite3.Connection, before: int | None) -> int:
    """Remove the oldest verdicts, or of these those published before a time; give how many.

    Oldest is by commit: a clock that was set leaves no hole.
    """
    kept = {id_: station for station, (id_, _) in newest(connection).items()}
    oldest = connection.execute(
        "SELECT id, published_ns FROM verdict ORDER BY id LIMIT ?", (_BATCH + len(kept),)
    )
    gone = []
    for id_, published_ns in oldest:
        if id_ in kept:
            continue
        if before is not None and published_ns >= before:
            break
        gone.append((id_,))
    connection.executemany("DELETE FROM verdict WHERE id = ?", gone)
    if gone:
        _remove_beside(connection, list(kept.values()))
    return len(gone)


def _remove_beside(connection: sqlite3.Connection, stations: list[str]) -> None:
    """Remove what was said of verdicts that are gone."""
    for station in stations:
        (first,) = connection.execute(
            "SELECT min(seq) FROM verdict WHERE station = ?", (station,)
        ).fetchone()
        for table in ("override", "late"):
            connection.execute(
                f"DELETE FROM {table} WHERE station = ? AND seq < ?",  # noqa: S608 (names above)
                (station, first),
            )


def _remove_rest(connection: sqlite3.Connection, before: int | None) -> int:
    """Remove old alarms and commands, or the oldest, and of all tables what is beyond its rows."""
    removed = 0
    for table, rows in _ROWS.items():
        oldest = f"SELECT id FROM {table} ORDER BY id LIMIT {_BATCH}"  # noqa: S608
        where = f"id <= (SELECT max(id) FROM {table}) - {rows}"  # noqa: S608
        if table in _TIMES:
            where += " OR 1" if before is None else f" OR {_TIMES[table]} < {before}"
        removed += connection.execute(
            f"DELETE FROM {table} WHERE id IN ({oldest}) AND ({where})"  # noqa: S608
        ).rowcount
    return removed
