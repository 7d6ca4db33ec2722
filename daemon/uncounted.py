"""Intervals in which nothing counted triggers: told once something counts again, or at the end."""

import time
from dataclasses import dataclass

from daemon.herald import Herald
from daemon.messages import AlarmCode


@dataclass(frozen=True)
class Interval:
    """Begun and not ended yet."""

    since_ns: int  # Unix epoch
    why: str
    station: str | None = None  # None: no camera at all was heard
    camera: str | None = None


class Uncounted:
    """Used by the main thread alone."""

    def __init__(self, herald: Herald) -> None:
        self._herald = herald
        self._intervals: list[Interval] = []

    def begin(self, interval: Interval) -> None:
        self._intervals.append(interval)

    def end(self) -> None:
        """Tell of all that have begun, with now as their end."""
        for interval in self._intervals:
            self._herald.alarm(
                AlarmCode.UNACCOUNTED_INTERVAL,
                f"{interval.why}: nothing counted triggers",
                station=interval.station,
                camera=interval.camera,
                since_ns=interval.since_ns,
                until_ns=time.time_ns(),
            )
        self._intervals.clear()
