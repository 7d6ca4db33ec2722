"""A station's change to another recipe, without a trigger lost."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daemon import log
from daemon.assembly import deadline_ms
from daemon.camera.spawn import look
from daemon.camera.supervisor import CameraSupervisor
from daemon.camera.wanted import check_fit
from daemon.cameras import camera_plan, check_output
from daemon.changeover.chosen import Choice, Chosen
from daemon.changeover.told import Activated, RecipeInUse
from daemon.herald import Herald
from daemon.inspection.inspectors import make_judging, warm
from daemon.inspection.judging import Judging
from daemon.jobs import Jobs
from daemon.messages import AlarmCode, Reason
from daemon.parts import Unseen
from daemon.settings import Settings, StationSettings
from models import recipe as recipes
from models import recipe_store as store
from models.camera_parameters import FeatureValue
from models.errors import InputError
from models.pixel_format import PixelFormat
from models.recipe import LoadedRecipe


class Line(Protocol):
    """The daemon, as far as recipes go."""

    settings: Settings
    herald: Herald
    jobs: Jobs


@dataclass(frozen=True)
class Order:
    """What is wanted, and of whom."""

    station: StationSettings
    folder: Path
    version: int | None  # None: the active one
    who: str


class Swap:
    """Prepares recipes and switches to them; in one thread, beside all others."""

    def __init__(self, line: Line, chosen: Chosen, step: Callable[[], None]) -> None:
        """``step`` is called between steps, and raises ``InputError`` to end the work."""
        self._line = line
        self._chosen = chosen
        self._step = step

    def prepare(self, order: Order) -> Judging:
        """Load, verify and warm a recipe, for a running job as it is; raises ``InputError``."""
        station = order.station
        loaded = recipes.load(order.folder, order.version)
        self._step()
        self._fits(station, loaded)
        judging = make_judging(self._line.settings.engine, station.name, loaded, beside=True)
        self._step()
        warm(judging, self._formats(station.name, loaded))
        return judging

    def activate(self, order: Order) -> Activated:
        """Prepare a recipe, set the cameras as it says, and judge by it from the next part on.

        Raises ``InputError`` if that cannot be; then everything is as it was.
        """
        line, name = self._line, order.station.name
        begun, active = time.monotonic(), store.active(order.folder)
        judging = self.prepare(order)
        if line.jobs.current is None:
            self._look(order.station, judging.recipe)
        loaded = time.monotonic()
        self._step()
        before = line.jobs.judgings().get(name)
        choice = Choice(
            settings=order.station.recipe,
            recipe=str(order.folder.resolve()),
            version=judging.recipe.recipe.version,
            active=active,
            who=order.who,
            time_ns=time.time_ns(),
        )
        with self._cameras_set(name, judging.recipe):
            self._fits(order.station, judging.recipe)  # a job may have begun meanwhile
            self._chosen.choose(name, choice)
            switching = time.monotonic()
            first = line.jobs.judge_by(name, judging)
        size = judging.recipe.bundle.manifest.input
        for camera in self._cameras(name):
            camera.want(size.width, size.height)
        told = Activated(
            station=name,
            now=in_use(judging),
            before=in_use(before) if before else None,
            first=first,
            loading_ms=1000 * (loaded - begun),
            switching_ms=1000 * (time.monotonic() - switching),
        )
        since = "the next job" if first is None else f"part {first}"
        instead = f" instead of {before}" if before else ""
        text = f"{judging} judges from {since} on{instead}, as {order.who} wanted"
        line.herald.alarm(AlarmCode.RECIPE, text, station=name)
        return told

    def _fits(self, station: StationSettings, recipe: LoadedRecipe) -> None:
        """Raise ``InputError`` if the cameras as they run deliver no frames for a recipe."""
        for camera in station.cameras:
            check_output(camera, deadline_ms(self._line.settings, recipe))
        size = recipe.bundle.manifest.input
        for supervisor in self._cameras(station.name):
            width, height = supervisor.size
            if width is not None and (width, height) != (size.width, size.height):
                raise InputError(
                    f"station {station.name}, camera {supervisor.name}: the running job's frames"
                    f" are {width} x {height} pixels, but recipe {recipe.recipe.name} inspects"
                    f" {size.width} x {size.height}; StopJob, set the camera's Width and Height,"
                    " ActivateRecipe, StartJob"
                )

    def _look(self, station: StationSettings, recipe: LoadedRecipe) -> None:
        """Open the cameras of a station whose job does not run, as the next job will, and close
        them; raises ``InputError`` if that would fail, now and at each start to come.
        """
        size = recipe.bundle.manifest.input
        for camera in station.cameras:
            where = f"station {station.name}, camera {camera.name}"
            found = look(camera_plan(self._line.settings, camera))
            check_fit(found, size.width, size.height, where)

    def _formats(self, station: str, recipe: LoadedRecipe) -> set[PixelFormat]:
        opened = [camera.opened for camera in self._cameras(station)]
        found = {PixelFormat(camera.pixel_format) for camera in opened if camera is not None}
        return found or {recipe.bundle.manifest.input.pixel_format}

    def _cameras(self, station: str) -> list[CameraSupervisor]:
        job = self._line.jobs.current
        return list(job.stations[station]) if job is not None and not job.stopping else []

    @contextmanager
    def _cameras_set(self, station: str, recipe: LoadedRecipe) -> Iterator[None]:
        """Set the cameras as a recipe says, and set them back if what follows fails.

        Meanwhile, and until a frame was exposed after it, nobody knows by which of the two recipes
        frames were taken: they are NO_VERDICT(invalid). Where nothing is to be set there is none.
        """
        job = self._line.jobs.current
        todo = [
            (camera, wanted)
            for camera in self._cameras(station)
            if (wanted := changes(camera, recipe))
        ]
        if job is None or not todo:
            yield
            return
        why = f"taken while the cameras were set for recipe {recipe.recipe.name}"
        job.ledger.doubt(station, Unseen(Reason.INVALID, why))
        with ExitStack() as always, ExitStack() as undo:
            always.callback(job.ledger.trust, station)
            for camera, features in todo:
                undo.callback(_set_back, camera, camera.configure(features))
            yield
            undo.pop_all()


def _set_back(camera: CameraSupervisor, before: Mapping[str, FeatureValue]) -> None:
    try:
        camera.configure(before)
    except InputError as error:  # why it is set back is what is told
        log.get("camera").error("not set back", camera=camera.name, why=str(error))


def changes(camera: CameraSupervisor, recipe: LoadedRecipe) -> dict[str, FeatureValue]:
    """Give what a recipe sets on a camera, if any of it is not set so already."""
    features = recipe.recipe.camera_parameters(camera.name).as_features()
    same = all(camera.features.get(name) == value for name, value in features.items())
    return {} if same else features


def in_use(judging: Judging) -> RecipeInUse:
    """Tell what judges."""
    recipe = judging.recipe
    return RecipeInUse(
        recipe=recipe.recipe.name,
        number=recipe.recipe.id,
        version=recipe.recipe.version,
        bundle=recipe.bundle.sha256,
        calibration=recipe.calibration_sha256,
        engine=judging.engine,
    )
