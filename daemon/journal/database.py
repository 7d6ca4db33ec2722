"""The journal's file and its one writing connection, whatever becomes of either.

What a commit costs and survives. In WAL mode a commit appends to ``journal.db-wal``, which the
death of the process cannot take back.

``process``: synchronous = OFF, so that no commit waits for a disk. With that alone a power cut
could damage the file in one case: where the WAL begins anew over its old content, while its new
header is not yet on the disk. The keeper (``checkpoint.py``) therefore truncates the WAL before it
can begin anew, or, where a reader forbids that, has commits sync the header (NORMAL). The database
itself is written by the keeper's own connection, which syncs.

``power``: synchronous = FULL: each commit waits until the disk has it.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from daemon.journal import files
from daemon.journal.check import Damaged, check_content, check_format, has_wild_ids, translated
from daemon.journal.entries import Durability, JournalError
from daemon.journal.schema import CHALLENGE_TABLE, last_seq, prepare

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_BUSY = 5.0  # seconds that a commit waits for another program that holds the database
_EPOCH = "INSERT INTO epoch (epoch, started_ns, code) VALUES (?, ?, ?)"


class Database:
    """Every method may be called from any thread; one transaction at a time."""

    def __init__(
        self,
        folder: Path,
        durability: Durability,
        epoch: tuple[int, str],
        on_set_aside: Callable[[Path, str], None],
    ) -> None:
        """Open or make the folder's journal; ``epoch`` with the code's version.

        Raises ``InputError`` for a folder that cannot be used, and for a newer journal.
        """
        self.path = folder / files.NAME
        self.set_aside: Path | None = None
        self.why = ""  # it was set aside
        self.generation = 0  # counts files, as a damaged one is replaced
        self.writes = 0  # transactions
        self.last: dict[str, int] = {}  # newest seq of each station, kept by the journal
        self._sync = "OFF" if durability == "process" else "FULL"
        self._epoch = epoch
        self._on_set_aside = on_set_aside
        self._lock = threading.Lock()
        self._broken: str | None = None  # why a new file must be begun before anything else
        try:
            self._connection = self._open_or_replace()
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    def write(self, work: Work[T], *, single: bool = False) -> T:
        """Run ``work`` as one transaction; ``single``: it is one statement, which is one itself.

        Raises ``JournalError`` if it cannot be written; nothing of it is in then. A damaged file is
        set aside, and the work done in a new one.
        """
        replaced = None
        with self._lock:
            try:
                result = self._transact(work, single)
            except Damaged as error:
                replaced = self._replace(str(error))
                try:
                    result = self._transact(work, single)
                except Damaged as again:
                    raise JournalError(f"journal {self.path}: {again}, twice") from again
            self.writes += 1
        if replaced is not None:
            self._on_set_aside(*replaced)
        return result

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """Keep all others from writing meanwhile, and from replacing the file."""
        with self._lock:
            yield self._connection

    def beside(self) -> sqlite3.Connection:
        """Make another connection, with ``held``: it must not open one file and another's WAL."""
        connection = _connect(self.path, 0.0)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return connection

    def replace_if(self, damage: str | None = None) -> None:
        """Begin a new file because of damage that was found elsewhere, or if this one is gone."""
        with self._lock:
            if damage is None:
                if _inode(self.path) == self._inode:
                    return
                damage = "somebody removed or replaced the file"
            replaced = self._replace(damage)
        self._on_set_aside(*replaced)

    def truncate(self, writer: sqlite3.Connection, committing: sqlite3.Connection) -> None:
        """Let ``writer`` bring what is in the WAL into the database and cut it to nothing.

        With ``held``. Where a reader forbids that, a WAL begins anew with its header synced.
        """
        writer.execute("PRAGMA synchronous = FULL")
        (busy, *_) = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        sync = "NORMAL" if busy and self._sync == "OFF" else self._sync
        committing.execute(f"PRAGMA synchronous = {sync}")

    def close(self) -> None:
        """Write the WAL into the database, in order."""
        with self._lock:
            try:
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise translated(error, self.path) from error
            finally:
                self._connection.close()

    def _transact(self, work: Work[T], single: bool) -> T:
        if self._broken is not None:
            raise Damaged(self._broken)
        connection = self._connection
        try:
            if single:
                return work(connection)
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.rollback()
            if isinstance(error, sqlite3.Error):
                raise self._meaning(error) from error
            raise
        return result

    def _meaning(self, error: sqlite3.Error) -> Exception:
        meaning = translated(error, self.path)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            try:
                if has_wild_ids(self._connection):
                    return Damaged("an id is wild")
            except sqlite3.Error as other:
                return translated(other, self.path)
        return meaning

    def _replace(self, why: str) -> tuple[Path, str]:
        self._broken = why
        try:
            self._connection.close()
            aside = files.set_aside(self.path)
            self._begin(self.last)
            self._connection = self._connected()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"journal {self.path}: damaged ({why}), and no new one can be begun: {error}"
            ) from error
        self._broken = None
        self.set_aside, self.why = aside, why
        return aside, why

    def _open_or_replace(self) -> sqlite3.Connection:
        if os.path.lexists(self.path):
            try:
                return self._checked()
            except Damaged as error:
                self.why = str(error)
            self.set_aside = files.set_aside(self.path)
            self._begin(_salvaged(self.set_aside))
        else:
            self._begin({})
        return self._checked()

    def _checked(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise Damaged("not a file")
        if self.path.stat().st_size == 0:
            raise Damaged("the file is empty")
        connection = _connect(self.path, _BUSY)
        try:
            check_format(connection, self.path)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            check_content(connection, self.path)
            self.last = last_seq(connection)
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        finally:
            connection.close()
        return self._connected()

    def _connected(self) -> sqlite3.Connection:
        connection = _connect(self.path, _BUSY)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute(CHALLENGE_TABLE)
        self.truncate(connection, connection)
        self._inode = _inode(self.path)
        self.generation += 1
        return connection

    def _begin(self, last: dict[str, int]) -> None:
        """Make a new journal whole, then name it: a file of that name has its tables."""
        partial = Path(f"{self.path}.new")
        for end in ("", "-journal"):
            Path(f"{partial}{end}").unlink(missing_ok=True)
        connection = _connect(partial, _BUSY)
        try:
            prepare(connection)
            connection.executemany("INSERT INTO origin VALUES (?, ?)", sorted(last.items()))
            if self.generation:  # else the journal's own start records it
                record_epoch(connection, *self._epoch)
        finally:
            connection.close()
        os.rename(partial, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def record_epoch(connection: sqlite3.Connection, epoch: int, code: str) -> None:
    connection.execute(_EPOCH, (epoch, time.time_ns(), code))


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout, isolation_level=None, check_same_thread=False)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _salvaged(aside: Path) -> dict[str, int]:
    """Give the newest seqs that a damaged journal still tells, so that they go on."""
    if not aside.is_file():
        return {}
    connection = sqlite3.connect(f"{aside.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return last_seq(connection)
    except sqlite3.DatabaseError:
        return {}
    finally:
        connection.close()
