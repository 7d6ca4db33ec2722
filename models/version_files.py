"""Files that are written once: whole, on disk, and read-only before they have their name."""

import os
from pathlib import Path

from models.errors import InputError
from models.records import sync

PARTIAL = ".partial"  # ends the name of a file that is being written


def write_new(path: Path, content: bytes) -> None:
    """Write a file that no version names yet, over what a killed process may have left.

    Raises ``InputError`` if the disk is full or the folder is not writable.
    """
    os.replace(_written(path, content), path)
    sync(path.parent)


def publish(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Give content a name: a reader finds all of it or nothing (or what it replaces).

    Raises ``InputError`` as above, and if the file exists that it is not to replace.
    """
    partial = _written(path, content)
    try:
        if replace:
            os.replace(partial, path)
        else:
            os.link(partial, path)  # unlike a rename, never over another
    except FileExistsError as error:
        raise InputError(f"{path}: exists, and versions do not change") from error
    finally:
        partial.unlink(missing_ok=True)
    sync(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written; nobody may be writing."""
    for path in folder.glob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)


def _written(path: Path, content: bytes) -> Path:
    """Put content on disk under another name, mode 0444."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o444)  # whatever the umask: the daemon is another user
            os.fsync(file.fileno())
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{path}: not written: {error.strerror}; nothing was changed") from error
    return partial
