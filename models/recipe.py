"""The recipe: all that decides a verdict, versioned as a whole."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import bundle as bundles
from models import recipe_store as store
from models.adaptive import Asking
from models.bundle import Bundle
from models.calibration import AnomalyMap, Calibration, RawMaps, fuse
from models.engine import Engine
from models.errors import InputError
from models.geometry import Box as Box
from models.mode import Mode, mode_for
from models.polygons import inside, mask_sha256
from models.recipe_record import Recipe as Recipe
from models.recipe_record import recipe_file
from models.records import sha256
from models.region import Mask, read_mask
from models.scope import Scope

_AGAIN = "run effad-calibrate on this recipe again"


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe whose bundle and calibration have been read, and fit each other."""

    path: Path  # its folder
    recipe: Recipe
    bundle: Bundle
    calibration: Calibration
    calibration_sha256: str
    ignored: Mask | None = None  # (H, W) of the frame: ``load_mask``

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

    def engine(self, device: str, threads: int) -> Engine:
        """Give an engine as it was calibrated with, on a device and so many threads.

        Raises ``InputError`` as ``Engine`` does.
        """
        return Engine(
            self.bundle,
            device=device,
            precision=self.calibration.precision,
            threads=threads,
            scope=self.scope,
            backend=self.calibration.backend,
        )

    def fuse(self, maps: Mapping[str, RawMaps]) -> AnomalyMap:
        """Give the anomaly map of an engine's raw maps."""
        calibration = self.calibration
        return fuse(maps, calibration.scales, calibration.alpha, self.bundle.weights)


def load(path: Path, version: int | None = None) -> LoadedRecipe:
    """Read the active version of a recipe, or that one, with all that it names.

    Raises ``InputError`` if anything is missing, damaged, newer, or does not belong together: a
    threshold is valid for the bundle, alpha, regions, masks and mode that it was made with.
    """
    recipe = store.read(path, version)
    here = path / recipe_file(recipe.version)
    store.check_files(path, recipe)
    bundle = _bundle(path, recipe)
    file = path / recipe.calibration
    calibration = Calibration.read(file)
    if calibration.bundle != bundle.sha256:
        raise InputError(
            f"{file}: made for bundle {calibration.bundle[:12]}, but {bundle.path} is"
            f" {bundle.sha256[:12]}; {_AGAIN}"
        )
    if calibration.alpha != recipe.alpha:
        raise InputError(
            f"{here}: alpha = {recipe.alpha}, but the threshold was made with"
            f" {calibration.alpha}; {_AGAIN}"
        )
    ignored = load_mask(path, recipe, bundle)
    mode = _check_view(here, recipe, bundle, calibration, ignored)
    if calibration.scales.keys() != set(mode.scales):
        raise InputError(
            f"{file}: scales {sorted(calibration.scales)}, but mode {mode} of the bundle takes"
            f" {sorted(mode.scales)}; {_AGAIN}"
        )
    return LoadedRecipe(path, recipe, bundle, calibration, sha256(file), ignored)


def load_mask(path: Path, recipe: Recipe, bundle: Bundle) -> Mask | None:
    """Read where frames are not inspected: ``mask_of`` with the ignore mask of the folder."""
    size = bundle.manifest.input
    painted = None
    if recipe.ignore_mask is not None:
        painted = read_mask(path / recipe.ignore_mask, size.height, size.width)
    return mask_of(recipe, painted, size.height, size.width)


def mask_of(recipe: Recipe, painted: Mask | None, height: int, width: int) -> Mask | None:
    """Give where frames are not inspected, (H, W), or None if the recipe says nothing of it.

    That is outside its regions where it has some, inside what it ignores, and what its ignore
    mask, ``painted``, has white. The box of ``region_of_interest`` is apart: frames are cut to it.
    Raises ``InputError`` if nothing is left.
    """
    if not (recipe.regions or recipe.ignored):
        return painted
    mask = inside(recipe.ignored, height, width)
    if recipe.regions:
        mask |= ~inside(recipe.regions, height, width)
    if painted is not None:
        mask |= painted
    if np.all(mask):
        raise InputError(
            f"recipe {recipe.name} version {recipe.version}: regions, ignored and ignore_mask leave"
            f" nothing of the frame of {width} x {height} pixels to inspect; draw them on a frame"
            " of this camera"
        )
    return mask


def _bundle(path: Path, recipe: Recipe) -> Bundle:
    folder = path / recipe.bundle
    if not folder.is_dir():
        raise InputError(
            f"{path / recipe_file(recipe.version)}: its bundle {folder} is not there; copy it"
            " there, or move the recipe together with its bundle (effad-recipe export)"
        )
    return bundles.load(folder)


def _check_view(
    here: Path, recipe: Recipe, bundle: Bundle, calibration: Calibration, ignored: Mask | None
) -> Mode:
    """Hold all that decides what is looked at against what the threshold was made with."""
    mode = mode_for(bundle.detectors, recipe.mode, here)
    then = calibration.mode or Mode.of(bundle.detectors)
    area = (mask_sha256(ignored), calibration.ignore_mask)
    pairs: dict[str, tuple[object, object]] = {
        "region_of_interest": (recipe.region_of_interest, calibration.region_of_interest),
        "mode": (mode, then),
        "tile_stride": (recipe.tile_stride, calibration.tile_stride),
        "the area of regions, ignored and ignore_mask": area,
    }
    if mode is Mode.ADAPTIVE:
        share = calibration.ask.share if calibration.ask else None
        pairs["tile_share"] = (recipe.tile_share, share)
    for key, (now, made_with) in pairs.items():
        if now != made_with:
            raise InputError(
                f"{here}: {key} is not the one that the threshold was made with; {_AGAIN}"
            )
    return mode


def relative(target: Path, folder: Path) -> str:
    """Name a path relative to a folder, so that both can be moved together."""
    return os.path.relpath(target.resolve(), folder.resolve())
