"""Frames of a station's cameras while its daemon is stopped."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from calibration.shown import Shown
from daemon.assembly import state_folder
from daemon.camera.plan import Plan
from daemon.camera.take import Taken, Taker
from daemon.cameras import camera_plan
from daemon.journal import files
from daemon.settings import CameraSettings, Settings, StationSettings
from models.errors import InputError
from models.recipe import Recipe


class CameraSource:
    """So many triggers of a station, each with the frames of all its cameras: a FrameSource.

    The cameras are opened as the daemon does, with a trigger by software where they are set so, and
    released at the end. They take their frames one after the other.
    """

    def __init__(
        self,
        settings: Settings,
        triggers: int | None,
        *,
        station: str | None = None,
        recipe: Recipe | None = None,
        patience_s: float = 30.0,
        newest: bool = False,
    ) -> None:
        """Take the daemon's settings, and how many triggers; None: on and on.

        ``recipe``: what it says of the cameras, such as their exposure, is set first.
        ``newest``: frames that came while nobody took one are left out. Raises ``InputError`` if
        there is no such station, or if the daemon runs.
        """
        self._settings = settings
        self._station = station_of(settings, station)
        self._recipe = recipe
        self._triggers = triggers
        self._patience_s = patience_s
        self._newest = newest
        check_stopped(settings)

    @property
    def total(self) -> int | None:
        return None if self._triggers is None else self._triggers * len(self._station.cameras)

    def __iter__(self) -> Iterator[Shown]:
        with ExitStack() as opened:
            takers = {
                camera.name: opened.enter_context(Taker(self._plan(camera), self._patience_s))
                for camera in self._station.cameras
            }
            number = 0
            while self._triggers is None or number < self._triggers:
                number += 1
                for name, taker in takers.items():
                    yield _shown(number, name, taker.take(newest=self._newest))

    def _plan(self, camera: CameraSettings) -> Plan:
        plan = camera_plan(self._settings, camera)
        if self._recipe is None:
            return plan
        features = self._recipe.camera_parameters(camera.name).as_features()
        return plan.model_copy(update={"features": features})


def station_of(settings: Settings, name: str | None) -> StationSettings:
    """Give the station of a name, or the only one; raises ``InputError``."""
    stations = {station.name: station for station in settings.stations}
    if name is None and len(stations) == 1:
        return settings.stations[0]
    if name is None or name not in stations:
        raise InputError(f"--station {name}: there is none; allowed are {', '.join(stations)}")
    return stations[name]


def check_stopped(settings: Settings) -> None:
    """Raise ``InputError`` if the daemon of these settings runs: it has the cameras."""
    lock = files.lock_path(state_folder(settings))
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # never started, or another user's: then the camera itself refuses
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        process = Path(lock).read_text(errors="replace").strip() or "?"
        raise InputError(
            f"effad runs (process {process}) and has the cameras: take frames from it with --daemon"
            f" {settings.sockets.control}, or stop it first"
        ) from None
    finally:
        os.close(descriptor)


def _shown(number: int, camera: str, taken: Taken) -> Shown:
    return Shown.of(f"{number}-{camera}", str(number), taken.pixels, taken.pixel_format)
