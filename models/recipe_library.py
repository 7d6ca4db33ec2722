"""A recipe library: a folder of recipe folders, found by name or by the number that PLCs send."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from models.errors import InputError
from models.recipe_folder import ACTIVE, active, read, versions
from models.recipe_record import Recipe


def folders(library: Path) -> Iterator[Path]:
    """Give the folders of a library that are recipes, by name; raises ``InputError``."""
    try:
        entries = sorted(library.iterdir())
    except OSError as error:
        raise InputError(f"{library}: {error.strerror}; name a folder of recipes") from error
    for path in entries:
        if path.name.startswith(".") or not path.is_dir():
            continue
        if (path / ACTIVE).exists() or versions(path):
            yield path


def current(folder: Path) -> Recipe:
    """Read the active version, or the newest where none is; raises ``InputError``."""
    return read(folder, active(folder) or max(versions(folder), default=None))


def find(library: Path, name_or_number: str | int) -> Path:
    """Give the folder of the recipe of a name, or of a number.

    A text of digits is a number unless a recipe has it as its name. Raises ``InputError`` if there
    is none or more than one, so that it is never guessed which product a line makes.
    """
    known: dict[Path, Recipe] = {}
    damaged: list[str] = []
    for folder in folders(library):
        try:
            known[folder] = current(folder)
        except InputError as error:
            damaged.append(str(error))
    found = [f for f, recipe in known.items() if recipe.name == name_or_number]
    if not found and str(name_or_number).isdecimal():
        found = [f for f, recipe in known.items() if recipe.id == int(name_or_number)]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(str(folder) for folder in found)
        raise InputError(
            f"{library}: {both} are both recipe {name_or_number}; give one of them another name or"
            " number: effad-recipe edit RECIPE --set id=NUMBER"
        )
    names = ", ".join(recipe_label(recipe) for recipe in known.values()) or "none"
    also = f"; and damaged: {'; '.join(damaged)}" if damaged else ""
    raise InputError(f"{library}: no recipe {name_or_number!r}; there are: {names}{also}")


def check_free(library: Path, folder: Path, name: str, number: int | None) -> None:
    """Raise ``InputError`` if another recipe of the library has this name or number.

    A number also if only an old version has it, to which a rollback may go.
    """
    for other in folders(library):
        if folder.exists() and other.samefile(folder):
            continue
        if name == _name(other):
            raise InputError(f"{library}: {other.name} is named {name}; choose another name")
        for recipe in _readable(other):
            if number is not None and recipe.id == number:
                raise InputError(
                    f"{library}: number {number} is that of {other.name}, version"
                    f" {recipe.version}; choose another"
                )


def _name(folder: Path) -> str | None:
    try:
        return current(folder).name
    except InputError:
        return None  # a damaged recipe does not stop work on the others


def _readable(folder: Path) -> Iterator[Recipe]:
    for version in versions(folder):
        with suppress(InputError):
            yield read(folder, version)


def recipe_label(recipe: Recipe) -> str:
    return recipe.name if recipe.id is None else f"{recipe.name} ({recipe.id})"
