"""One process at a time changes a recipe."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import InputError
from models.recipe_folder import versions
from models.version_files import sweep

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a recipe's folder for this process, and make it if it is new.

    It ends with the process, however that ends. Raises ``InputError`` that names the process that
    holds it. A new folder that nothing was written to is removed again.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    descriptor = _open(path, folder)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} {Path(sys.argv[0]).name}\n".encode())
        sweep(folder)
        yield
    finally:
        if new and [entry.name for entry in folder.iterdir()] == [LOCK]:
            path.unlink()
            folder.rmdir()
        os.close(descriptor)


@contextmanager
def locked_existing(folder: Path) -> Iterator[None]:
    """Hold the folder of a recipe that has versions; raises ``InputError`` if it has none."""
    if not versions(folder):
        raise InputError(f"{folder}: no recipe here; name the folder of a recipe")
    with locked(folder):
        yield


def _open(path: Path, folder: Path) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # removed beside us, as the folder of a recipe that came to none
            folder.mkdir(parents=True, exist_ok=True)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode(errors="replace").split()
            os.close(descriptor)
            process = " ".join([holder[0], f"({holder[1]})"]) if len(holder) == 2 else "unknown"
            raise InputError(
                f"{folder}: is being changed by process {process}; wait for it to end"
            ) from error
        if _still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _still(path: Path, descriptor: int) -> bool:
    """Say whether the name is still that of the file that was locked."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
