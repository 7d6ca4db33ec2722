"""From what a request says of a recipe to its folder."""

from pathlib import Path

from models.errors import InputError
from models.recipe_library import find


def folder_of(wanted: str | int | None, library: str, present: Path | None) -> Path:
    """Give the folder of the recipe of a name or number; None: the one that the station runs.

    ``library``: as it is set; empty: where the ``present`` recipe's folder lies. Raises
    ``InputError`` if there is no such recipe, or nothing says where to look.
    """
    if wanted is None:
        if present is None:
            raise InputError("the station has no recipe; name the one that is wanted")
        return present
    if library:
        return find(Path(library), wanted)
    if present is None:
        raise InputError(
            "the station has no recipe, and no library is set; set recipes.folder in the settings"
        )
    return find(present.resolve().parent, wanted)
