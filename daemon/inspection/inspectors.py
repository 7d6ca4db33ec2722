"""The recipes of all stations, loaded, and the engines that run them."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from daemon import log
from daemon.changeover.chosen import Chosen
from daemon.inspection.infer import Inspector
from daemon.inspection.judging import Judging
from daemon.settings import EngineSettings, Settings
from models import recipe as recipes
from models.engine import Engine
from models.errors import InputError
from models.pixel_format import PixelFormat
from models.recipe import LoadedRecipe


def load_recipes(settings: Settings, chosen: Chosen) -> dict[str, LoadedRecipe]:
    """Load the recipe of each station that has one, those that several share once.

    What was activated in a run before comes before what the settings name. Raises ``InputError``.
    """
    wanted = {s.name: chosen.wanted(s.name, s.recipe) for s in settings.stations}
    runs = {name: recipe for name, recipe in wanted.items() if recipe is not None}
    loaded = {
        recipe: recipes.load(recipe.folder, recipe.version)
        for recipe in dict.fromkeys(runs.values())
    }
    return {name: loaded[recipe] for name, recipe in runs.items()}


def make_judgings(settings: Settings, loaded: Mapping[str, LoadedRecipe]) -> dict[str, Judging]:
    """Make each station's engines, and hold them against their bundles' reference maps.

    Raises ``InputError`` if a device is missing, or an engine differs by more than its tolerance.
    """
    return {
        station: make_judging(settings.engine, station, recipe)
        for station, recipe in loaded.items()
    }


def make_judging(
    settings: EngineSettings, station: str, recipe: LoadedRecipe, *, beside: bool = False
) -> Judging:
    """Make a station's engines for a recipe; ``beside``: others are at work, take one thread.

    Raises ``InputError`` as above.
    """
    threads = max(1, settings.threads // settings.workers)
    inspectors = []
    for worker in range(settings.workers):
        engine = recipe.engine(device_of(settings.device, recipe), threads)
        engine.prepare()
        differs = (engine.on_threads(1) if beside else engine).verify()
        inspectors.append(Inspector(engine, recipe))
        if worker == 0:
            _tell(station, engine, recipe, differs)
    return Judging(recipe, tuple(inspectors))


def warm(judging: Judging, formats: Iterable[PixelFormat]) -> None:
    """Have each engine look once at a frame of each format, on one thread, beside others at work.

    What the first look at a frame costs more (layouts of tiles, kernels of the library for these
    shapes, memory that was never touched) is thereby paid before anybody waits for it.
    """
    size = judging.recipe.bundle.manifest.input
    for inspector in judging.inspectors:
        engine = inspector.engine.on_threads(1)
        for pixel_format in formats:
            shape = pixel_format.shape(size.height, size.width)
            frame = np.zeros(shape, pixel_format.dtype)
            judging.recipe.fuse(engine.look(frame, pixel_format))


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
