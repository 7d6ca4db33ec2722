"""Which part a camera's trigger is of: views of one part come from several cameras, each with a
count of its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from daemon import log
from daemon.claims import Seen, StationPlan
from daemon.messages import TriggerSource
from daemon.parts import OpenPart


class Parts(Protocol):
    """What a grouping may know of its station."""

    @property
    def last(self) -> int:
        """Number of the newest part."""

    @property
    def open(self) -> Mapping[int, OpenPart]:
        """By number, ascending."""

    @property
    def closed(self) -> Mapping[int, int | None]:
        """When the newest of those that are not open any more were exposed, by number."""


class Grouping(Protocol):
    """Gives part numbers; one above ``last`` stands for a part that is not open yet."""

    def started(self, camera: str, base: int, parts: Parts) -> None:
        """A camera acquires; its next trigger is ``base + 1``."""

    def of_frame(self, camera: str, seen: Seen, parts: Parts) -> int: ...

    def of_missed(self, camera: str, trigger: int, parts: Parts) -> int | None:
        """Give the part of a trigger without a frame; None: not to be told, the timer will."""

    def of_count(self, camera: str, triggers: int, parts: Parts) -> int | None:
        """Give the newest part that is known by a camera's count; None if it tells nothing."""

    def trigger_of(self, camera: str, number: int) -> int | None:
        """Give the trigger that a camera will have for a part, where that is known before."""

    def skipped(self) -> None:
        """A part was announced and its trigger never came: later triggers are of later parts."""

    def expired(self, camera: str) -> None:
        """A part was closed without this camera's frame, and without word of it."""


def grouping_of(plan: StationPlan) -> Grouping:
    if plan.source is TriggerSource.SOFTWARE:
        return ByCommand()
    if plan.grouping == "window" and len(plan.cameras) > 1:
        return ByWindow(plan.window_s)
    return ByCounter(plan.cameras, plan.window_s)


class ByCommand:
    """Software triggers: the station sent each, and the camera says which trigger it became."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}

    def issued(self, camera: str, trigger: int, number: int) -> None:
        self._numbers[camera, trigger] = number

    def started(self, camera: str, base: int, parts: Parts) -> None:
        del camera, base, parts

    def of_frame(self, camera: str, seen: Seen, parts: Parts) -> int:
        return self._take(camera, seen.trigger, parts)

    def of_missed(self, camera: str, trigger: int, parts: Parts) -> int | None:
        return self._take(camera, trigger, parts)

    def of_count(self, camera: str, triggers: int, parts: Parts) -> int | None:
        return None  # opened when they were sent

    def trigger_of(self, camera: str, number: int) -> int | None:
        return None

    def skipped(self) -> None:
        raise AssertionError("parts of software triggers are not announced")

    def expired(self, camera: str) -> None:
        del camera

    def _take(self, camera: str, trigger: int, parts: Parts) -> int:
        # One that nobody asked for is a trigger all the same.
        return self._numbers.pop((camera, trigger), parts.last + 1)


class ByCounter:
    """Every camera counts every trigger, each from a number of its own.

    The first camera's count numbers the parts from its start on. Where a second camera's count
    stands beside it is read off the first frames of both, by their exposures; and as a camera may
    miss a trigger without knowing, every frame's exposure is held against those of its part.
    """

    def __init__(self, cameras: tuple[str, ...], window_s: float) -> None:
        self._leader = cameras[0]
        self._alone = len(cameras) == 1
        self._window_ns = window_s * 1e9
        self._offset: dict[str, int] = {}  # camera: its trigger less the part's number

    def started(self, camera: str, base: int, parts: Parts) -> None:
        if camera == self._leader:
            self._offset.setdefault(camera, base - parts.last)

    def of_frame(self, camera: str, seen: Seen, parts: Parts) -> int:
        offset = self._offset.get(camera)
        if offset is not None:
            number = seen.trigger - offset
            if self._alone or self._fits(number, seen, parts):
                return number
            log.get("ledger").warning(
                "views of different moments: aligned anew", camera=camera, part=number
            )
        number = _at(parts.open.values(), camera, seen, self._window_ns) or parts.last + 1
        self._offset[camera] = seen.trigger - number
        return number

    def _fits(self, number: int, seen: Seen, parts: Parts) -> bool:
        """Say whether a frame is of the same moment as what is known of its part."""
        part = parts.open.get(number)
        exposed = part.exposed_ns if part else parts.closed.get(number)
        return _near(exposed, seen, self._window_ns)

    def of_missed(self, camera: str, trigger: int, parts: Parts) -> int | None:
        if camera == self._leader:
            self._offset.setdefault(camera, trigger - 1 - parts.last)
        offset = self._offset.get(camera)
        return None if offset is None else trigger - offset

    def of_count(self, camera: str, triggers: int, parts: Parts) -> int | None:
        return self.of_missed(camera, triggers, parts) if camera in self._offset else None

    def trigger_of(self, camera: str, number: int) -> int | None:
        offset = self._offset.get(camera)
        return None if offset is None else number + offset

    def skipped(self) -> None:
        self._offset = {camera: offset - 1 for camera, offset in self._offset.items()}

    def expired(self, camera: str) -> None:
        del camera


class ByWindow:
    """Frames that were exposed within a window are views of one part, whatever cameras count."""

    def __init__(self, window_s: float) -> None:
        self._window_ns = window_s * 1e9
        self._owed: Counter[str] = Counter()  # of each camera, words on parts closed without it

    def started(self, camera: str, base: int, parts: Parts) -> None:
        del camera, base, parts

    def of_frame(self, camera: str, seen: Seen, parts: Parts) -> int:
        self._owed[camera] = 0  # what was missed before a frame is told before it
        return _at(parts.open.values(), camera, seen, self._window_ns) or parts.last + 1

    def of_missed(self, camera: str, trigger: int, parts: Parts) -> int | None:
        """Give the oldest part that still waits for this camera: frames come in order."""
        if self._owed[camera]:
            self._owed[camera] -= 1
            return None
        waiting = (n for n, part in parts.open.items() if _waits(part, camera))
        return next(waiting, parts.last + 1)

    def of_count(self, camera: str, triggers: int, parts: Parts) -> int | None:
        return None

    def trigger_of(self, camera: str, number: int) -> int | None:
        return None

    def skipped(self) -> None:
        """Nothing is counted here."""

    def expired(self, camera: str) -> None:
        self._owed[camera] += 1


def _waits(part: OpenPart, camera: str) -> bool:
    view = part.views.get(camera)
    return view is not None and view.seen is None and view.outcome is None


def _near(exposed: int | None, seen: Seen, window_ns: float) -> bool:
    return exposed is None or abs(exposed - seen.exposed_ns) <= window_ns


def _at(parts: Iterable[OpenPart], camera: str, seen: Seen, window_ns: float) -> int | None:
    """Find the part that a frame is of by its exposure, or else the oldest that has no frame."""
    waiting = [part for part in parts if _waits(part, camera)]
    for part in waiting:
        if part.exposed_ns is not None and _near(part.exposed_ns, seen, window_ns):
            return part.number
    return next((part.number for part in waiting if part.exposed_ns is None), None)
