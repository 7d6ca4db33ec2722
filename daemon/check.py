"""``effad --check``: all that a start would find out, said, and nothing changed."""

from collections.abc import Iterator

from daemon.camera.spawn import look
from daemon.camera.supervisor import check_fit
from daemon.cameras import camera_plan
from daemon.inspectors import load_recipes, make_workers
from daemon.settings import Settings


def check(settings: Settings) -> Iterator[str]:
    """Check settings, recipes, engines and cameras; say each thing found in a line.

    Raises ``InputError`` at the first that is not as it must be.
    """
    recipes = load_recipes(settings)
    workers = make_workers(settings, recipes)
    for station in settings.stations:
        loaded = recipes[station.name]
        engine = workers[0][station.name].engine
        size = loaded.bundle.manifest.input
        yield (
            f"station {station.name}: recipe {loaded.recipe.name} version {loaded.recipe.version},"
            f" scales {', '.join(loaded.bundle.detectors)}, {size.width} x {size.height} pixels,"
            f" threshold {loaded.calibration.threshold:.4f} from {loaded.calibration.parts} parts"
        )
        yield f"station {station.name}: engine {engine.fingerprint} agrees with the bundle"
        for camera in station.cameras:
            found = look(camera_plan(settings, camera))
            where = f"station {station.name}, camera {camera.name}"
            check_fit(found, size.width, size.height, where)
            yield (
                f"station {station.name}: camera {camera.name} is {found.vendor} {found.model}"
                f" {found.serial}, {found.width} x {found.height} {found.pixel_format},"
                f" {'counts' if found.counter is not None else 'does not count'} its triggers"
            )
    yield "ready to run"
