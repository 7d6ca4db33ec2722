"""The journal's folder: where it is, its lock, and what is done with a damaged file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from models.errors import InputError

NAME = "journal.db"
_LOCK = "journal.lock"
_BESIDE = ("-wal", "-shm")  # of SQLite's, beside its database
_KEPT = 3  # damaged journals; each may be as large as a whole one


def default_folder() -> Path:
    """Give the folder of what effad keeps: the service manager's, else the user's own."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".local/state") / "effad"


@contextmanager
def failing_as(folder: Path) -> Iterator[None]:
    """Say what the system refuses in the folder as an ``InputError``."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"journal folder {folder}: {error.strerror} ({error.filename or folder}); give one"
            " that the daemon's user may write to"
        ) from error


def lock_path(folder: Path) -> Path:
    """Give the file of a journal's folder that its daemon holds with flock while it runs."""
    return folder / _LOCK


def lock(folder: Path) -> int:
    """Take the folder for this process, until the descriptor given is closed.

    Raises ``InputError`` if another process has it.
    """
    file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(file, 20).decode("ascii", "replace").strip()
        os.close(file)
        raise InputError(
            f"journal folder {folder} is in use by another effad (process {owner or '?'}): stop"
            " it, or give this one a folder of its own"
        ) from None
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
    return file


def set_aside(path: Path) -> Path:
    """Rename a damaged database and what lies beside it; give its new name.

    The newest few are kept.
    """
    stamp = f"{path}.damaged-{datetime.now():%Y%m%d-%H%M%S}"
    aside, count = Path(stamp), 1
    while aside.exists():
        count += 1
        aside = Path(f"{stamp}-{count}")
    # The database first: SQLite throws a WAL away that has none, but would read a new one with it.
    for end in ("", *_BESIDE):
        try:
            os.rename(f"{path}{end}", f"{aside}{end}")
        except FileNotFoundError:
            continue
    _forget_old(path)
    return aside


def _forget_old(path: Path) -> None:
    found = [
        other
        for other in path.parent.glob(f"{path.name}.damaged-*")
        if other.is_file() and not other.name.endswith(_BESIDE)
    ]
    found.sort(key=lambda other: other.stat().st_ctime_ns, reverse=True)
    for old in found[_KEPT:]:
        for end in ("", *_BESIDE):
            Path(f"{old}{end}").unlink(missing_ok=True)
