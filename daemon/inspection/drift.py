"""Watches good parts for a drift of light, focus or product away from the calibration's."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon import log
from daemon.frames import Frame
from daemon.messages import AlarmCode, Kind, Verdict
from daemon.metrics.reading import DriftReading
from daemon.parts import Inspected, Settled
from models.drift import Cause, Channel, cause, explained
from models.errors import InputError
from models.light import light
from models.recipe import LoadedRecipe
from models.records import Record
from models.sequential import ShiftTest, TestState

#: Folder of what is known, in the state folder.
FOLDER = "drift"
_REMIND_SECONDS = 600.0  # between two alarms of a drift that goes on
_GRAVITY = (None, *Cause)  # a light that has changed explains more than a focus, and so on


class _Kept(Record):
    """What is known of a station's parts, over a restart."""

    format: Literal[1] = 1
    calibration: str  # SHA-256 of its record
    recipe: str
    version: int
    tests: dict[Channel, TestState]


@dataclass
class _Watched:
    """A station under one recipe."""

    recipe: LoadedRecipe
    tests: dict[Channel, ShiftTest]
    why: Cause | None = None
    told: float = float("-inf")  # seconds

    @classmethod
    def under(cls, recipe: LoadedRecipe) -> "_Watched":
        calibration = recipe.calibration
        return cls(recipe, calibration.drift.tests(calibration.threshold))

    def of(self, recipe: LoadedRecipe) -> bool:
        return recipe is self.recipe or _identity(recipe) == _identity(self.recipe)


def _identity(recipe: LoadedRecipe) -> tuple[str, str, int]:
    return recipe.calibration_sha256, recipe.recipe.name, recipe.recipe.version


class DriftWatch:
    """``see`` is one thread's; ``readings`` may be called from any."""

    def __init__(
        self,
        folder: Path,
        stations: Iterable[str],
        alarm: Callable[[AlarmCode, str, str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the state folder, and who is told: code, station, text. ``now``: seconds."""
        self._folder = folder / FOLDER
        self._alarm = alarm
        self._now = now
        self._stations: dict[str, _Watched] = {}
        self._log = log.get("drift")
        self._before = {s: kept for s in stations if (kept := self._read(s)) is not None}

    def see(self, part: Settled, verdict: Verdict) -> None:
        """Take a part whose frames are still held; of no other than good ones is anything learned.

        Another recipe, or another version of it, begins anew.
        """
        if verdict.verdict is not Kind.PASS or verdict.bypassed or part.judging is None:
            return
        recipe = part.judging.recipe
        watched = self._stations.get(part.station)
        if watched is None or not watched.of(recipe):
            watched = self._begin(part.station, recipe, watched)
        if not watched.tests:
            return
        for view in part.views:
            if isinstance(view.outcome, Inspected):
                for channel, value in _values(view.outcome, recipe).items():
                    watched.tests[channel].see(value)
        self._tell(part.station, watched)

    def readings(self) -> dict[tuple[str, str], DriftReading]:
        """Give each (station, channel) that is watched."""
        return {
            (station, channel.value): DriftReading(test.level, test.over)
            for station, watched in self._stations.copy().items()
            for channel, test in watched.tests.items()
        }

    def close(self) -> None:
        """Keep what is known for the next run. A disk that takes nothing costs just that."""
        for station, watched in self._stations.items():
            digest, name, version = _identity(watched.recipe)
            tests = {channel: test.state() for channel, test in watched.tests.items()}
            kept = _Kept(calibration=digest, recipe=name, version=version, tests=tests)
            try:
                self._folder.mkdir(exist_ok=True)
                kept.write(self._path(station))
            except OSError as error:
                self._log.warning("not kept", station=station, why=str(error))

    def _tell(self, station: str, watched: _Watched) -> None:
        why = cause(watched.tests)
        if why is None:
            if watched.why is not None:
                watched.why = None
                text = "good parts look as they did at the calibration again"
                self._alarm(AlarmCode.DRIFT_OFF, station, text)
            return
        graver = _GRAVITY.index(why) > _GRAVITY.index(watched.why)
        if graver or self._now() >= watched.told + _REMIND_SECONDS:
            watched.why = why if graver else watched.why
            watched.told = self._now()
            self._alarm(AlarmCode.DRIFT, station, explained(why, watched.tests))

    def _begin(self, station: str, recipe: LoadedRecipe, before: _Watched | None) -> _Watched:
        watched = _Watched.under(recipe)
        kept = self._before.pop(station, None)
        if kept is not None and (kept.calibration, kept.recipe, kept.version) == _identity(recipe):
            for channel, test in watched.tests.items():
                test.go_on(kept.tests[channel])
        self._stations[station] = watched
        if before is not None and before.why is not None:
            self._alarm(AlarmCode.DRIFT_OFF, station, f"{recipe.recipe.name} was made active")
        return watched

    def _read(self, station: str) -> _Kept | None:
        path = self._path(station)
        if not path.exists():
            return None
        try:
            return _Kept.read(path)
        except InputError as error:
            self._log.warning("what was known is lost, and is learned again", why=str(error))
            return None

    def _path(self, station: str) -> Path:
        return self._folder / f"{station}.json"


def _values(result: Inspected, recipe: LoadedRecipe) -> Mapping[Channel, float]:
    frame: Frame = result.frame
    seen = light(frame.pixels, frame.pixel_format, recipe.recipe.region_of_interest)
    values = {
        Channel.SCORE: result.anomaly.score,
        Channel.BRIGHTNESS: seen.brightness,
        Channel.SHARPNESS: seen.sharpness,
    }
    if result.local is not None:
        values[Channel.LOCAL] = result.local
    return values
