"""From the settings to the parts of a job: stations, supervisors of cameras, origin of verdicts."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from daemon.camera.supervisor import CameraSupervisor
from daemon.camera.wanted import Before, Restarts, Wanted
from daemon.cameras import camera_plan, check_output
from daemon.claims import StationPlan
from daemon.herald import Herald
from daemon.inspection.infer import Inspector
from daemon.inspection.inspectors import device_of
from daemon.inspection.outcome import MapPlan, Origin
from daemon.job import JobPlan
from daemon.journal import default_folder
from daemon.ledger import Ledger
from daemon.messages import AlarmCode
from daemon.settings import CameraSettings, Settings, StationSettings
from models.recipe import LoadedRecipe


def state_folder(settings: Settings) -> Path:
    """Give the folder of journal, open claims and images."""
    return Path(settings.journal.folder) if settings.journal.folder else default_folder()


def cameras_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Name each station's cameras."""
    return {s.name: tuple(camera.name for camera in s.cameras) for s in settings.stations}


def job_plan(
    settings: Settings,
    recipes: Mapping[str, LoadedRecipe],
    workers: Sequence[Mapping[str, Inspector]],
    epoch: int,
    number: int,
) -> JobPlan:
    """Give the plan of this epoch's job of a number."""
    engines = {name: inspector.engine.fingerprint for name, inspector in workers[0].items()}
    return JobPlan(
        stations={s.name: _station_plan(settings, s, recipes) for s in settings.stations},
        recipes=recipes,
        open_limit=settings.ledger.open_limit,
        pace_s=settings.ledger.commit_budget_ms / 1000,
        queue=sum(camera.slots for s in settings.stations for camera in s.cameras) + 1,
        maps=MapPlan(settings.sockets.publish_maps, settings.sockets.map_encoding),
        origin=Origin(epoch, f"job-{epoch}-{number}", version("effad"), engines),
    )


def deadline_ms(settings: Settings, recipe: LoadedRecipe | None) -> int:
    """Give the time from exposure to publication."""
    return recipe.recipe.deadline_ms if recipe else settings.ledger.no_recipe_deadline_ms


def _station_plan(
    settings: Settings, station: StationSettings, recipes: Mapping[str, LoadedRecipe]
) -> StationPlan:
    deadline = deadline_ms(settings, recipes.get(station.name))
    return StationPlan(
        cameras=tuple(camera.name for camera in station.cameras),
        source=station.cameras[0].trigger,
        deadline_s=deadline / 1000,
        commit_budget_s=min(settings.ledger.commit_budget_ms, deadline) / 1000,
        grouping=station.group_by,
        window_s=station.group_window_ms / 1000,
        announced_s=settings.ledger.announced_s,
    )


def supervise(
    settings: Settings,
    station: StationSettings,
    camera: CameraSettings,
    recipe: LoadedRecipe | None,
    ledger: Ledger,
    herald: Herald,
    before: Before | None,
) -> CameraSupervisor:
    """Make a camera's supervisor; ``before``: what a killed run knew of it.

    Raises ``InputError`` if its output could come too late for the gate.
    """
    check_output(camera, deadline_ms(settings, recipe))
    size = recipe.bundle.manifest.input if recipe else None
    on_cuda = recipe is not None and device_of(settings.engine.device, recipe).startswith("cuda")
    return CameraSupervisor(
        station.name,
        camera_plan(settings, camera),
        Wanted(size.width if size else None, size.height if size else None, camera.slots, on_cuda),
        Restarts(camera.restart_backoff_s, camera.restarts),
        ledger,
        partial(_alarm, herald, station.name),
        before,
    )


def _alarm(
    herald: Herald,
    station: str,
    code: str,
    camera: str,
    text: str,
    since: int | None = None,
    until: int | None = None,
) -> None:
    herald.alarm(
        AlarmCode(code), text, station=station, camera=camera, since_ns=since, until_ns=until
    )
