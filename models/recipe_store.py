"""Recipes on disk: a folder a recipe, a file a version, and which version is active.

::

    NAME/
      active.json      which version is active, since when, by whom; replaced atomically
      history.jsonl    the activations, the newest last
      recipe-N.json  calibration-N.json  ignore-N.png ...   never changed once they are there

A version's files are on disk before the version is, so that whoever is killed leaves no part of
one; what it does leave is named by no version, and is written over. Versions are added and
activated under ``locked``. A recipe library is a folder of recipe folders.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from models.errors import InputError
from models.recipe_folder import (
    ACTIVE,
    HISTORY,
    Activation,
    Active,
    active,
    check_files,
    history,
    next_version,
    read,
    versions,
)
from models.recipe_library import find
from models.recipe_lock import locked, locked_existing
from models.recipe_record import Recipe, recipe_file
from models.records import sha256, sync
from models.version_files import publish, write_new

__all__ = [
    "ACTIVE",
    "HISTORY",
    "Activation",
    "activate",
    "active",
    "add",
    "before",
    "check_files",
    "find",
    "history",
    "locked",
    "locked_existing",
    "next_version",
    "read",
    "rollback",
    "versions",
]


def add(folder: Path, recipe: Recipe, files: Mapping[str, bytes]) -> Recipe:
    """Write a version with the files that are new in it, and give it as it was written.

    It is not activated. Those it names beside must be there already. Raises ``InputError`` if the
    version exists, a file is missing or belongs to another version, or the disk is full: then the
    folder's versions are what they were.
    """
    there = versions(folder)
    if recipe.version in there:
        raise InputError(f"{folder}: version {recipe.version} exists, and versions do not change")
    folder.mkdir(parents=True, exist_ok=True)
    sync(folder.parent)
    taken = {name for version in there for name in read(folder, version).named}
    for name in files:
        if name not in recipe.named:
            raise ValueError(f"{name}: not named by the recipe")
        if name in taken and (folder / name).read_bytes() != files[name]:
            raise InputError(f"{folder / name}: belongs to another version, and does not change")
    for name, content in files.items():
        if name not in taken:
            write_new(folder / name, content)
    whole = recipe.model_copy(
        update={
            "created": recipe.created or now(),
            "files": {name: _sha256(folder / name) for name in recipe.named},
        }
    )
    publish(folder / recipe_file(recipe.version), whole.model_dump_json(indent=1).encode() + b"\n")
    return whole


def activate(folder: Path, version: int, *, who: str, why: str) -> None:
    """Make a version the active one; nothing happens if it is already.

    The caller has loaded it whole (``models.recipe.load``), so that the daemon will too. Raises
    ``InputError`` if it or a file that it names is missing or changed.
    """
    check_files(folder, read(folder, version))
    if active(folder) != version:
        _switch(folder, Active(time=now(), version=version, who=who, why=why))


def rollback(folder: Path, *, who: str) -> int:
    """Take back the newest activation that was not yet, and give the version active now.

    Done twice it goes back twice. Raises ``InputError`` if there is no version to go back to.
    """
    version = before(folder)
    check_files(folder, read(folder, version))
    why = f"rollback from version {active(folder)}"
    _switch(folder, Active(time=now(), version=version, who=who, why=why, back=True))
    return version


def before(folder: Path) -> int:
    """Give the version that ``rollback`` goes back to; raises ``InputError`` if there is none."""
    stack: list[int] = []
    for line in history(folder):
        if line.back and len(stack) > 1:
            stack.pop()
        else:
            stack.append(line.version)
    if len(stack) < 2:
        raise InputError(f"{folder}: no version was active before; effad-recipe show lists all")
    return stack[-2]


def now() -> str:
    """Give the time as recipes write it; a clock that jumps changes no decision."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _switch(folder: Path, new: Active) -> None:
    past = history(folder)  # with the activation that a killed process did not note
    publish(folder / ACTIVE, new.model_dump_json().encode() + b"\n", replace=True)
    lines = [*past, Activation(**new.model_dump(exclude={"format"}))]
    text = "".join(f"{line.model_dump_json()}\n" for line in lines)
    publish(folder / HISTORY, text.encode(), replace=True)


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: missing; copy the whole recipe again, or import it")
    return sha256(path)
