"""Whether a file is a journal that can be gone on with."""

import sqlite3
from pathlib import Path

from daemon.journal.entries import JournalError
from daemon.journal.schema import FORMAT, NUMBERED, TABLES, last_seq
from models.errors import InputError

#: Bytes up to which a journal that did not end in order is read whole at start: about 1 s.
WHOLE = 128 << 20
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LARGEST = 2**63 - 1


class Damaged(Exception):
    """The file is no journal, or no longer; in one line, why."""


def is_damage(error: sqlite3.Error) -> bool:
    """Tell damage of the file from what the system refuses, and from faults of a statement's."""
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    # Our statements are fixed: a table that they do not find was there once.
    return code in _DAMAGED or str(error).startswith(("no such table", "no such column"))


def has_wild_ids(connection: sqlite3.Connection) -> bool:
    """Tell whether damage made an id so large that none is left, which SQLite calls a full disk."""
    return any(
        connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] == _LARGEST  # noqa: S608
        for table in NUMBERED
    )


def translated(error: sqlite3.Error, path: Path) -> Exception:
    """Give what a database error is to a caller: damage, a refusal, or a fault in effad."""
    if is_damage(error):
        return Damaged(str(error))
    if isinstance(error, sqlite3.OperationalError):
        return JournalError(f"journal {path}: {error}; free space on its disk, or make it writable")
    return error


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``InputError`` for a newer effad's journal, ``Damaged`` for what is none."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > FORMAT:
        raise InputError(
            f"{path}: format {found} is newer than this effad, which knows {FORMAT}; upgrade"
            " effad, or move the file away to begin a new journal"
        )
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    missing = TABLES - {name for (name,) in rows}
    if found != FORMAT or missing:
        raise Damaged(f"not an effad journal (format {found}, {len(missing)} tables missing)")


def check_content(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``Damaged`` if the file's structure is broken.

    After an orderly end only where it will be gone on with; else all of it, unless it is so large
    that the line would wait: then damage in its old parts is found when they are read.
    """
    last_seq(connection)
    tail = "SELECT length(header) FROM verdict ORDER BY {} DESC LIMIT 200"
    for order in ("id", "published_ns"):
        connection.execute(tail.format(order)).fetchall()
    ends = connection.execute("SELECT ended_ns FROM epoch ORDER BY id DESC LIMIT 1").fetchone()
    orderly = ends is not None and ends[0] is not None
    if not orderly and path.stat().st_size <= WHOLE:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise Damaged(" ".join(said.split()))
