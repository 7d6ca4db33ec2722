"""What stands in a recipe's folder: versions, the active one, and the history."""

import re
from pathlib import Path
from typing import Literal

from models.errors import InputError
from models.recipe_record import Recipe, recipe_file
from models.records import Record, sha256

ACTIVE = "active.json"
HISTORY = "history.jsonl"
_VERSION = re.compile(r"recipe-([1-9][0-9]{0,8})\.json")


class Activation(Record):
    """A line of a recipe's history."""

    time: str  # ISO 8601, UTC
    version: int
    who: str
    why: str
    back: bool = False  # a rollback: it took back the activation before


class Active(Activation):
    """The content of ``active.json``: the newest activation."""

    format: Literal[1] = 1


def versions(folder: Path) -> tuple[int, ...]:
    """Give the versions that there are, lowest first; none if there is no such folder."""
    if not folder.is_dir():
        return ()
    found = (_VERSION.fullmatch(path.name) for path in folder.iterdir())
    return tuple(sorted(int(match[1]) for match in found if match))


def next_version(folder: Path) -> int:
    return max(versions(folder), default=0) + 1


def active(folder: Path) -> int | None:
    """Give the active version, None if none was ever activated; raises ``InputError``."""
    now = _active(folder)
    return now.version if now else None


def read(folder: Path, version: int | None = None) -> Recipe:
    """Read the active version, or that one, without what it names.

    Raises ``InputError`` if it is not there, or is not as its name says.
    """
    if version is None:
        version = active(folder)
    there = versions(folder)
    if version is None:
        raise InputError(_none_active(folder, there))
    file = folder / recipe_file(version)
    if version not in there:
        known = ", ".join(map(str, there)) or "none"
        raise InputError(f"{file}: there is no version {version}; there are: {known}")
    recipe = Recipe.read(file)
    if recipe.version != version:
        raise InputError(f"{file}: says that it is version {recipe.version}; a file was renamed")
    return recipe


def check_files(folder: Path, recipe: Recipe) -> None:
    """Hold the files that a version names against their hashes; raises ``InputError``."""
    for name in recipe.named:
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: missing; copy the whole recipe again, or import it")
        if name not in recipe.files:
            raise InputError(
                f"{folder / recipe_file(recipe.version)}: no SHA-256 of {name}; it was not written"
                " by effad: run effad-calibrate on this recipe again"
            )
        if sha256(path) != recipe.files[name]:
            raise InputError(
                f"{path}: not the file that version {recipe.version} of the recipe was made with:"
                f" SHA-256 {sha256(path)[:12]} and not {recipe.files[name][:12]}; it was changed or"
                " damaged: copy the whole recipe again, or run effad-calibrate on it again"
            )


def history(folder: Path) -> tuple[Activation, ...]:
    """Give the activations, the newest last; raises ``InputError`` if a line is damaged."""
    path = folder / HISTORY
    text = path.read_text() if path.exists() else ""
    lines = [Activation.parse(line, f"{path}:{n}") for n, line in enumerate(text.splitlines(), 1)]
    now = _active(folder)
    if now is not None:
        newest = Activation(**now.model_dump(exclude={"format"}))
        if not lines or lines[-1] != newest:  # killed between the two files
            lines.append(newest)
    return tuple(lines)


def _active(folder: Path) -> Active | None:
    path = folder / ACTIVE
    return Active.read(path) if path.exists() else None


def _none_active(folder: Path, there: tuple[int, ...]) -> str:
    if there:
        return (
            f"{folder}: none of its versions ({', '.join(map(str, there))}) is active;"
            f" run effad-recipe activate {folder} --version {there[-1]}"
        )
    if (folder / "recipe.json").exists():
        return f"{folder}: a recipe of an effad before versions; run effad-calibrate for a new one"
    if folder.is_dir():
        return f"{folder}: no recipe here; make one with effad-calibrate run {folder} --bundle ..."
    return f"{folder}: no such folder; name the folder of a recipe"
