"""From the settings to the parts of a job: stations, supervisors of cameras, origin of verdicts."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

from daemon.camera.plan import Plan
from daemon.camera.supervisor import CameraSupervisor
from daemon.camera.wanted import Before, Restarts, Wanted
from daemon.cameras import camera_plan, check_output
from daemon.claims import StationPlan
from daemon.herald import Herald
from daemon.inspection.judging import Judging
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
    settings: Settings, judgings: Mapping[str, Judging], epoch: int, number: int
) -> JobPlan:
    """Give the plan of this epoch's job of a number."""
    return JobPlan(
        stations={
            s.name: station_plan(settings, s, judgings.get(s.name)) for s in settings.stations
        },
        workers=settings.engine.workers,
        open_limit=settings.ledger.open_limit,
        pace_s=settings.ledger.commit_budget_ms / 1000,
        queue=sum(camera.slots for s in settings.stations for camera in s.cameras) + 1,
        maps=MapPlan(settings.sockets.publish_maps, settings.sockets.map_encoding),
        origin=Origin(epoch, f"job-{epoch}-{number}", version("effad")),
    )


def deadline_ms(settings: Settings, recipe: LoadedRecipe | None) -> int:
    """Give the time from exposure to publication."""
    return recipe.recipe.deadline_ms if recipe else settings.ledger.no_recipe_deadline_ms


def station_plan(
    settings: Settings, station: StationSettings, judging: Judging | None
) -> StationPlan:
    """Give what a station's parts are opened by when they are judged so."""
    deadline = deadline_ms(settings, judging.recipe if judging else None)
    return StationPlan(
        cameras=tuple(camera.name for camera in station.cameras),
        source=station.cameras[0].trigger,
        deadline_s=deadline / 1000,
        commit_budget_s=min(settings.ledger.commit_budget_ms, deadline) / 1000,
        grouping=station.group_by,
        window_s=station.group_window_ms / 1000,
        announced_s=settings.ledger.announced_s,
        judging=judging,
    )


def supervise(
    settings: Settings,
    station: StationSettings,
    camera: CameraSettings,
    judging: Judging | None,
    ledger: Ledger,
    herald: Herald,
    before: Before | None,
) -> CameraSupervisor:
    """Make a camera's supervisor; ``before``: what a killed run knew of it.

    Raises ``InputError`` if its output could come too late for the gate.
    """
    recipe = judging.recipe if judging else None
    check_output(camera, deadline_ms(settings, recipe))
    size = recipe.bundle.manifest.input if recipe else None
    on_cuda = judging is not None and bool(judging.devices)
    return CameraSupervisor(
        station.name,
        _with_features(camera_plan(settings, camera), recipe),
        Wanted(size.width if size else None, size.height if size else None, camera.slots, on_cuda),
        Restarts(camera.restart_backoff_s, camera.restarts),
        ledger,
        partial(_alarm, herald, station.name),
        before,
    )


def _with_features(plan: Plan, recipe: LoadedRecipe | None) -> Plan:
    if recipe is None:
        return plan
    features = recipe.recipe.camera_parameters(plan.name).as_features()
    return plan.model_copy(update={"features": features})


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
