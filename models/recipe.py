"""The recipe: all that decides a verdict, versioned as a whole."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from models import bundle as bundles
from models.bundle import Bundle
from models.calibration import Calibration
from models.errors import InputError
from models.geometry import Box as Box
from models.records import Record, sha256

RECIPE = "recipe.json"


class Recipe(Record):
    format: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    version: int = Field(ge=1)
    bundle: str  # folder, relative to the recipe's
    calibration: str  # file, relative to the recipe's folder
    alpha: float = Field(default=0.5, ge=0, le=1)  # weight of the local map (eq. 4.12)
    region_of_interest: Box | None = None
    minimum_region_area: float = Field(default=0, ge=0)  # square pixels
    deadline_ms: int = Field(default=2000, ge=1, le=600_000)  # exposure to publication
    #: What makes a part FAIL: one view at or above the threshold, or the mean of all scores there;
    #: a missing view is NO_VERDICT either way.
    view_fusion: Literal["any", "mean"] = "any"
    pixels_per_mm: float | None = Field(default=None, gt=0)


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe whose bundle and calibration have been read, and fit each other."""

    path: Path
    recipe: Recipe
    bundle: Bundle
    calibration: Calibration
    calibration_sha256: str


def load(path: Path) -> LoadedRecipe:
    """Read a recipe with all that it names.

    Raises ``InputError`` if anything is missing, damaged, newer, or does not belong together.
    """
    recipe = Recipe.read(path / RECIPE)
    bundle = bundles.load(path / recipe.bundle)
    file = path / recipe.calibration
    calibration = Calibration.read(file)
    if calibration.bundle != bundle.sha256:
        raise InputError(
            f"{file}: made for bundle {calibration.bundle[:12]}, but {bundle.path} is"
            f" {bundle.sha256[:12]}; run effad-calibrate on this recipe again"
        )
    if calibration.alpha != recipe.alpha:
        raise InputError(
            f"{path / RECIPE}: alpha = {recipe.alpha}, but the threshold was made with"
            f" {calibration.alpha}; run effad-calibrate on this recipe again"
        )
    if calibration.region_of_interest != recipe.region_of_interest:
        raise InputError(
            f"{path / RECIPE}: region_of_interest is not the one that the threshold was made with;"
            " run effad-calibrate on this recipe again"
        )
    if calibration.scales.keys() != bundle.detectors.keys():
        raise InputError(
            f"{file}: scales {sorted(calibration.scales)}, but the bundle has"
            f" {sorted(bundle.detectors)}; run effad-calibrate on this recipe again"
        )
    return LoadedRecipe(path, recipe, bundle, calibration, sha256(file))


def relative(target: Path, folder: Path) -> str:
    """Name a path relative to a folder, so that both can be moved together."""
    return os.path.relpath(target.resolve(), folder.resolve())
