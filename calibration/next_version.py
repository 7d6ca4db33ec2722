"""The version of a recipe that is to be calibrated: what was, and what was asked for."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models import recipe_store as store
from models.bundle import MANIFEST, Input, Manifest
from models.errors import InputError
from models.recipe import Recipe, mask_of, relative
from models.records import first_fault
from models.region import Mask, read_mask

_BOX = ("x", "y", "width", "height")
#: Options that a recipe takes as they are.
_TAKEN = ("alpha", "deadline_ms", "mode", "tile_share", "tile_stride")


@dataclass(frozen=True)
class NextVersion:
    """A version before it has its calibration."""

    recipe: Recipe
    bundle: Path
    input: Input  # the frames that the bundle takes
    ignored: Mask | None  # (H, W): what of a frame is not inspected
    files: dict[str, bytes]  # that are new in it

    @classmethod
    def asked(cls, folder: Path, args: argparse.Namespace) -> "NextVersion":
        """Give the version after the newest; raises ``InputError`` before anything is measured."""
        old = base(folder, args.from_version)
        if old is None and args.bundle is None:
            raise InputError(f"{folder}: no recipe here yet; name its bundle with --bundle FOLDER")
        recipe = _recipe(folder, old, args)
        bundle: Path = args.bundle or folder / recipe.bundle
        size = Manifest.read(bundle / MANIFEST).input
        files: dict[str, bytes] = {}
        painted: Path | None = folder / recipe.ignore_mask if recipe.ignore_mask else None
        if args.ignore is not None and recipe.ignore_mask is not None:
            painted = args.ignore
            files[recipe.ignore_mask] = args.ignore.read_bytes()
        mask = read_mask(painted, size.height, size.width) if painted is not None else None
        ignored = mask_of(recipe, mask, size.height, size.width)
        return cls(recipe, bundle, size, ignored, files)


def base(folder: Path, version: int | None) -> Recipe | None:
    """Give the version to go on from: that one, or the active one, or the newest if none is."""
    there = store.versions(folder)
    if not there:
        return None
    return store.read(folder, version or store.active(folder) or there[-1])


def revised(folder: Path, old: Recipe, **changes: Any) -> Recipe:
    """Give the next version of a recipe, with changes; raises ``InputError``."""
    version = store.next_version(folder)
    fresh = {"version": version, "calibration": f"calibration-{version}.json"}
    return _valid(folder, {**old.model_dump(), "created": "", "files": {}, **fresh, **changes})


def _recipe(folder: Path, old: Recipe | None, args: argparse.Namespace) -> Recipe:
    version = store.next_version(folder)
    changes: dict[str, Any] = {key: getattr(args, key) for key in _TAKEN}
    changes["region_of_interest"] = args.region and dict(zip(_BOX, args.region, strict=True))
    changes["ignore_mask"] = args.ignore and f"ignore-{version}.png"
    changes["bundle"] = args.bundle and relative(args.bundle, folder)
    changes = {key: value for key, value in changes.items() if value is not None}
    if old is not None:
        return revised(folder, old, **changes)
    fresh = {
        "name": folder.resolve().name,
        "version": version,
        "calibration": f"calibration-{version}.json",
    }
    return _valid(folder, {**fresh, **changes})


def _valid(folder: Path, content: dict[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{folder}: {first_fault(error)}") from error
