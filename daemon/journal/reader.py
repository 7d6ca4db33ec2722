"""Reads the journal while the daemon writes it, from any process."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from daemon.journal import files
from daemon.journal.check import Damaged, check_format
from daemon.journal.filters import COLUMNS, TABLES, Filter, Row, row
from models.errors import InputError

_PAGE = 500  # verdicts read at a time
_REPLAY = """
SELECT seq, header FROM verdict WHERE station = ? AND seq > ? ORDER BY seq LIMIT ?
"""


@dataclass(frozen=True)
class Replay:
    """The verdicts of a station after one, oldest first."""

    headers: list[bytes]  # JSON exactly as published; see ``historical``
    first: int | None  # oldest seq that is kept
    last: int | None  # newest seq
    more: bool  # there are others after these


def historical(header: bytes) -> dict[str, Any]:
    """Give a journaled verdict as it is replayed: marked, else as published."""
    document: dict[str, Any] = json.loads(header)
    return {**document, "historical": True}


class JournalReader:
    """One thread at a time. Each call sees what is committed by then, in whatever file is there.

    Raises ``InputError`` where there is no journal, or one that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / files.NAME
        self._opened: tuple[int, int, bool] | None = None
        self._connection: sqlite3.Connection | None = None

    def replay(self, station: str, after_seq: int, limit: int, max_bytes: int) -> Replay:
        """Give the verdicts after ``after_seq``: at most so many, and so many bytes, but one."""
        with self._reading() as connection:
            first, last = connection.execute(
                "SELECT (SELECT min(seq) FROM verdict WHERE station = :s),"
                " (SELECT max(seq) FROM verdict WHERE station = :s)",
                {"s": station},
            ).fetchone()
            headers: list[bytes] = []
            newest, size = after_seq, 0
            for seq, text in connection.execute(_REPLAY, (station, after_seq, limit)):
                header = text.encode()
                if headers and size + len(header) > max_bytes:
                    break
                headers.append(header)
                newest, size = seq, size + len(header)
        return Replay(headers, first, last, last is not None and newest < last)

    def epoch_of(self, station: str, seq: int) -> int | None:
        """Give the epoch of a verdict that is kept."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT epoch FROM verdict WHERE station = ? AND seq = ?", (station, seq)
            ).fetchone()
        return None if found is None else int(found[0])

    def query(self, wanted: Filter) -> Iterator[Row]:
        """Give the verdicts that agree with a filter, oldest first, a page in memory at a time.

        Each page is a look of its own, so that a long one keeps nobody from writing.
        """
        return map(row, self.columns(COLUMNS, wanted, _PAGE, TABLES))

    def columns(
        self, names: str, wanted: Filter, page_size: int, tables: str = "verdict v"
    ) -> Iterator[tuple[Any, ...]]:
        """Give columns of the verdicts that agree with a filter, as ``query`` does."""
        where, given = wanted.where()
        # Up to what is there now: with a daemon that writes it would not end otherwise.
        key, given["newest"] = self._start(wanted, where, given)
        left = wanted.limit
        while left is None or left > 0:
            count = page_size if left is None else min(page_size, left)
            page = self.select(
                f"SELECT v.published_ns, v.id, {names} FROM {tables}"  # noqa: S608 (ours)
                f" WHERE {where} AND (v.published_ns, v.id) > (:at, :id) AND v.id <= :newest"
                " ORDER BY v.published_ns, v.id LIMIT :count",
                {**given, "at": key[0], "id": key[1], "count": count},
            )
            for values in page:
                yield values[2:]
            if len(page) < count:
                return
            key = page[-1][:2]
            left = None if left is None else left - len(page)

    def select(self, sql: str, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a query of our own whose result is small."""
        with self._reading() as connection:
            return connection.execute(sql, given or {}).fetchall()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(
        self, wanted: Filter, where: str, given: dict[str, Any]
    ) -> tuple[tuple[int, int], int]:
        """Give the key that the rows come after, and the newest id."""
        with self._reading() as connection:
            (newest,) = connection.execute("SELECT max(id) FROM verdict").fetchone()
            if wanted.limit is None:
                return (-(2**63), 0), newest or 0
            first = connection.execute(
                f"SELECT v.published_ns, v.id FROM verdict v WHERE {where}"  # noqa: S608
                " ORDER BY v.published_ns DESC, v.id DESC LIMIT 1 OFFSET :offset",
                {**given, "offset": wanted.limit - 1},
            ).fetchone()
        return (-(2**63), 0) if first is None else (first[0], first[1] - 1), newest or 0

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state meanwhile."""
        try:
            connection = self._current()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()
        except sqlite3.Error as error:
            self.close()
            raise InputError(
                f"{self._path}: {error}; is it a journal, and may you read it?"
            ) from error

    def _current(self) -> sqlite3.Connection:
        """Give a connection to the file that is there: a damaged one may have been replaced."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            self.close()
            raise InputError(
                f"{self._path}: {error.strerror}; give the folder of a daemon's journal"
            ) from error
        there = (found.st_dev, found.st_ino, _alone(self._path))
        if self._connection is None or there != self._opened:
            self.close()
            self._connection = _open(self._path, alone=there[2])
            self._opened = there
        return self._connection


def _alone(path: Path) -> bool:
    """Tell whether the journal has no daemon, and this user cannot make what SQLite wants beside.

    It is then read as a file that does not change.
    """
    return not os.access(path.parent, os.W_OK) and not os.path.exists(f"{path}-wal")


def _open(path: Path, *, alone: bool) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        address + ("&immutable=1" if alone else ""),
        timeout=5.0,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    try:
        check_format(connection, path)
    except Damaged as damage:
        connection.close()
        raise InputError(f"{path}: {damage}") from damage
    except BaseException:
        connection.close()
        raise
    return connection
