"""The recipe: all that decides a verdict, versioned as a whole."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from models import bundle as bundles
from models.adaptive import Asking
from models.bundle import Bundle
from models.calibration import AnomalyMap, Calibration, RawMaps, fuse
from models.errors import InputError
from models.geometry import STRIDE, TileStride
from models.geometry import Box as Box
from models.mode import Mode, mode_for
from models.records import Record, sha256
from models.region import Mask, read_mask
from models.scope import Scope

RECIPE = "recipe.json"


class Recipe(Record):
    format: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    version: int = Field(ge=1)
    bundle: str  # folder, relative to the recipe's
    calibration: str  # file, relative to the recipe's folder
    alpha: float = Field(default=0.5, ge=0, le=1)  # weight of the local map (eq. 4.12)
    region_of_interest: Box | None = None
    #: PNG as large as the frame, relative to the recipe's folder: what is white is not inspected.
    ignore_mask: str | None = None
    mode: Mode | None = None  # None: the bundle's one scale, or pyramid where it has both
    tile_share: float = Field(default=0.1, gt=0, lt=1)  # of good parts, in mode adaptive
    #: Pixels from tile to tile for the global map; below 224 they overlap and are blended.
    tile_stride: TileStride = STRIDE
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
    ignored: Mask | None = None  # (H, W) of the frame

    @property
    def mode(self) -> Mode:
        return mode_for(self.bundle.detectors, self.recipe.mode, self.path)

    @property
    def scope(self) -> Scope:
        """What an engine of this recipe looks at."""
        calibration, asks = self.calibration, None
        if calibration.ask is not None:
            whole = calibration.scales["whole"]
            asks = Asking(whole, calibration.alpha, calibration.ask.level)
        recipe = self.recipe
        return Scope(self.mode, recipe.region_of_interest, self.ignored, recipe.tile_stride, asks)

    def fuse(self, maps: Mapping[str, RawMaps]) -> AnomalyMap:
        """Give the anomaly map of an engine's raw maps."""
        calibration = self.calibration
        return fuse(maps, calibration.scales, calibration.alpha, self.bundle.weights)


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
    mode = _check_view(path, recipe, bundle, calibration)
    if calibration.scales.keys() != set(mode.scales):
        raise InputError(
            f"{file}: scales {sorted(calibration.scales)}, but mode {mode} of the bundle takes"
            f" {sorted(mode.scales)}; run effad-calibrate on this recipe again"
        )
    ignored = load_mask(path, recipe, bundle)
    return LoadedRecipe(path, recipe, bundle, calibration, sha256(file), ignored)


def load_mask(path: Path, recipe: Recipe, bundle: Bundle) -> Mask | None:
    """Read the ignore mask of a recipe in a folder, if it has one; raises ``InputError``."""
    if recipe.ignore_mask is None:
        return None
    size = bundle.manifest.input
    return read_mask(path / recipe.ignore_mask, size.height, size.width)


def mask_sha256(path: Path, recipe: Recipe) -> str | None:
    """Give the SHA-256 of a recipe's ignore mask; raises ``InputError`` if it cannot be read."""
    if recipe.ignore_mask is None:
        return None
    file = path / recipe.ignore_mask
    if not file.is_file():
        raise InputError(f"{file}: missing; copy the whole recipe again, with its ignore mask")
    return sha256(file)


def _check_view(path: Path, recipe: Recipe, bundle: Bundle, calibration: Calibration) -> Mode:
    """Hold all that decides what is looked at against what the threshold was made with."""
    mode = mode_for(bundle.detectors, recipe.mode, path / RECIPE)
    then = calibration.mode or Mode.of(bundle.detectors)
    pairs: dict[str, tuple[object, object]] = {
        "region_of_interest": (recipe.region_of_interest, calibration.region_of_interest),
        "mode": (mode, then),
        "tile_stride": (recipe.tile_stride, calibration.tile_stride),
        "ignore_mask": (mask_sha256(path, recipe), calibration.ignore_mask),
    }
    if mode is Mode.ADAPTIVE:
        share = calibration.ask.share if calibration.ask else None
        pairs["tile_share"] = (recipe.tile_share, share)
    for key, (now, made_with) in pairs.items():
        if now != made_with:
            raise InputError(
                f"{path / RECIPE}: {key} is not the one that the threshold was made with;"
                " run effad-calibrate on this recipe again"
            )
    return mode


def relative(target: Path, folder: Path) -> str:
    """Name a path relative to a folder, so that both can be moved together."""
    return os.path.relpath(target.resolve(), folder.resolve())
