"""Brings the WAL into the database so that no commit waits for a disk meanwhile."""

import os
import sqlite3

from daemon.journal.check import Damaged, translated
from daemon.journal.database import Database

_PASSES = 4  # each leaves what was committed meanwhile to the next
#: Bytes of WAL from which commits wait, so that it does not grow without end under full load.
FORCED = 64 << 20


class Checkpointer:
    """Made, used and closed in one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._generation = 0
        self._done = -1  # writes that are in the database file
        self._connection: sqlite3.Connection | None = None
        # While it reads, a commit cannot begin the WAL anew over what is in it.
        self._guard: sqlite3.Connection | None = None

    def run(self) -> None:
        """Write what was committed into the database, and truncate the WAL if that was all.

        A file found damaged is set aside. Raises ``JournalError`` if it cannot be written.
        """
        try:
            self._passes()
        except sqlite3.Error as error:
            known = translated(error, self._database.path)
            if not isinstance(known, Damaged):
                raise known from error
            self._database.replace_if(str(known))

    def close(self) -> None:
        """Close the connections; the next ``run`` opens others."""
        for connection in (self._connection, self._guard):
            if connection is not None:
                connection.close()
        self._connection = self._guard = None
        self._generation = 0

    def _passes(self) -> None:
        if any(self._pass() for _ in range(_PASSES)):
            return
        if os.path.getsize(f"{self._database.path}-wal") > FORCED:
            with self._database.held() as committing:
                if self._connection is not None:
                    self._database.truncate(self._connection, committing)

    def _pass(self) -> bool:
        """Write what is committed by now; tell whether that was all, or a reader is in the way."""
        database = self._database
        with database.held():
            writes = database.writes
            connection, guard = self._connected()
            if writes == self._done:
                return True
            guard.execute("BEGIN")
            guard.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        try:
            busy, logged, written = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            guard.rollback()
            raise
        with database.held() as committing:
            guard.rollback()
            if database.writes != writes or database.generation != self._generation:
                return False
            if not busy and logged == written:
                database.truncate(connection, committing)
                self._done = writes
            return True

    def _connected(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        if (
            self._connection is None
            or self._guard is None
            or (self._generation != self._database.generation)
        ):
            self.close()
            self._connection, self._guard = self._database.beside(), self._database.beside()
            self._generation = self._database.generation
            self._done = -1
        return self._connection, self._guard
