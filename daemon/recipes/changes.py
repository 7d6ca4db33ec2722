"""``key=value`` of the command line, put into a recipe."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from models.errors import InputError
from models.recipe import Recipe
from models.records import first_fault

#: Set otherwise: by the store, by effad-calibrate, by --labelme and --ignore.
_ELSEWHERE = {
    "format": "effad's own",
    "version": "counted by effad",
    "created": "effad's own",
    "files": "effad's own",
    "calibration": "made by effad-calibrate run",
    "bundle": "given to effad-calibrate run RECIPE --bundle FOLDER",
    "ignore_mask": "given by --ignore MASK",
}
_BOX = ("x", "y", "width", "height")


def changed(recipe: Recipe, settings: Sequence[str]) -> dict[str, Any]:
    """Give the fields of a recipe with settings ``key=value`` put in.

    A value is JSON, or else text; an empty one sets the key back to its default. Dots lead into
    tables: ``camera.top.exposure_us=800``, ``camera.*.features.Gamma=0.8``. A region of interest
    may be written ``X,Y,WIDTH,HEIGHT``. Raises ``InputError`` for a key that cannot be set so.
    """
    fields: dict[str, Any] = recipe.model_dump(mode="json")
    for setting in settings:
        key, equals, value = setting.partition("=")
        path = key.split(".")
        if not equals or path[0] not in Recipe.model_fields:
            allowed = ", ".join(k for k in Recipe.model_fields if k not in _ELSEWHERE)
            raise InputError(f"--set {setting}: not KEY=VALUE with one of the keys {allowed}")
        if path[0] in _ELSEWHERE:
            raise InputError(f"--set {setting}: {path[0]} is {_ELSEWHERE[path[0]]}")
        _put(fields, path, value, setting)
    return fields


def checked(fields: dict[str, Any], where: object) -> Recipe:
    """Make the recipe of fields; raises ``InputError`` that names what is wrong."""
    try:
        return Recipe.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise InputError(f"{where}: {first_fault(error)}") from error


def _put(fields: dict[str, Any], path: list[str], value: str, setting: str) -> None:
    table = fields
    for key in path[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {setting}: {key} is no table")
    if value == "":
        table.pop(path[-1], None)
    else:
        table[path[-1]] = _value(path, value)


def _value(path: list[str], text: str) -> Any:
    if path == ["region_of_interest"] and text.count(",") == 3 and not text.startswith("{"):
        return {key: _json(part) for key, part in zip(_BOX, text.split(","), strict=True)}
    return _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
