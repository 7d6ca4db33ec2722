"""``effad --check``: all that a start would find out, said, and nothing changed."""

from collections.abc import Iterator
from pathlib import Path

from daemon.archive.store import check as check_images
from daemon.assembly import deadline_ms, state_folder
from daemon.camera.spawn import look
from daemon.camera.wanted import check_fit
from daemon.cameras import camera_plan, check_output
from daemon.changeover.chosen import Chosen
from daemon.inspection.inspectors import load_recipes, make_judgings
from daemon.inspection.judging import Judging
from daemon.security.keyring import Keyring
from daemon.settings import CameraSettings, Settings, StationSettings


def check(settings: Settings) -> Iterator[str]:
    """Check settings, keys, recipes, engines and cameras; say each thing found in a line.

    Raises ``InputError`` at the first that is not as it must be.
    """
    if settings.sockets.keys:
        clients = Keyring.load(Path(settings.sockets.keys)).clients()
        yield f"keys: {len(clients)} clients may connect"
    if settings.images.keep != "none":
        check_images(state_folder(settings) / settings.images.folder)
    judgings = make_judgings(settings, load_recipes(settings, Chosen(state_folder(settings))))
    for station in settings.stations:
        judging = judgings.get(station.name)
        yield from _recipe(station, judging)
        for camera in station.cameras:
            check_output(camera, deadline_ms(settings, judging.recipe if judging else None))
            yield _camera(settings, station, camera, judging)
    yield "ready to run"


def _recipe(station: StationSettings, judging: Judging | None) -> Iterator[str]:
    if judging is None:
        yield f"station {station.name}: no recipe, so every part is NO_VERDICT(no_recipe)"
        return
    loaded = judging.recipe
    size = loaded.bundle.manifest.input
    yield (
        f"station {station.name}: recipe {loaded.recipe.name} version {loaded.recipe.version},"
        f" mode {loaded.mode}, {size.width} x {size.height} pixels,"
        f" threshold {loaded.calibration.threshold:.4f} from {loaded.calibration.parts} parts"
    )
    yield f"station {station.name}: engine {judging.engine} agrees with the bundle"


def _camera(
    settings: Settings,
    station: StationSettings,
    camera: CameraSettings,
    judging: Judging | None,
) -> str:
    found = look(camera_plan(settings, camera))
    if judging is not None:
        size = judging.recipe.bundle.manifest.input
        where = f"station {station.name}, camera {camera.name}"
        check_fit(found, size.width, size.height, where)
    return (
        f"station {station.name}: camera {camera.name} is {found.vendor} {found.model}"
        f" {found.serial}, {found.width} x {found.height} {found.pixel_format},"
        f" {'counts' if found.counter is not None else 'does not count'} its triggers"
    )
