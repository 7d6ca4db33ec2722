"""The recipes of all stations, loaded, and the engines that run them."""

from collections.abc import Mapping
from pathlib import Path

import torch

from daemon import log
from daemon.inspection.infer import Inspector
from daemon.settings import Settings
from models import recipe as recipes
from models.engine import Engine
from models.errors import InputError
from models.recipe import LoadedRecipe


def load_recipes(settings: Settings) -> dict[str, LoadedRecipe]:
    """Load the recipe of each station that has one, those that several share once.

    Raises ``InputError``.
    """
    wanted = {station.name: station.recipe for station in settings.stations if station.recipe}
    loaded = {folder: recipes.load(Path(folder)) for folder in dict.fromkeys(wanted.values())}
    return {station: loaded[folder] for station, folder in wanted.items()}


def make_workers(
    settings: Settings, loaded: Mapping[str, LoadedRecipe]
) -> list[dict[str, Inspector]]:
    """Make each worker's engines, and hold them against their bundles' reference maps.

    Raises ``InputError`` if a device is missing, or an engine differs by more than its tolerance.
    """
    count = settings.engine.workers
    threads = max(1, settings.engine.threads // count)
    workers: list[dict[str, Inspector]] = []
    for _ in range(count):
        inspectors = {}
        for station, recipe in loaded.items():
            engine = Engine(
                recipe.bundle,
                device=device_of(settings.engine.device, recipe),
                precision=recipe.calibration.precision,
                threads=threads,
                scope=recipe.scope,
            )
            differs = engine.verify()
            inspectors[station] = Inspector(engine, recipe)
            if not workers:
                _tell(station, engine, recipe, differs)
        workers.append(inspectors)
    return workers


def device_of(wanted: str, recipe: LoadedRecipe) -> str:
    """Give the device that was chosen at calibration, unless the settings name another.

    Raises ``InputError`` if this machine does not have it.
    """
    device = recipe.calibration.device if wanted == "auto" else wanted
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(
            f"engine.device = {wanted!r}: recipe {recipe.path} was calibrated on {device}, and this"
            " machine has no CUDA device; set engine.device = 'cpu', and calibrate again"
        )
    return device


def _tell(station: str, engine: Engine, recipe: LoadedRecipe, differs: float) -> None:
    logger = log.get("engine").bind(station=station, engine=engine.fingerprint)
    logger.info("engine verified", differs_by=round(differs, 6))
    if engine.fingerprint != recipe.calibration.engine:
        logger.warning(
            "another engine than at calibration: scores agree within its tolerance alone",
            calibrated_on=recipe.calibration.engine,
        )
