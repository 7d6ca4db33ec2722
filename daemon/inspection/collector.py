"""Frames of the running line for a calibration, while it goes on inspecting.

A collection copies what it wants behind the verdict, so that no slot is held, into a backlog that
its client empties. What finds no room there is lost for the calibration, and counted; nobody else
notices.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from daemon.inspection.collected import SeenView, copies_of, seen_views, told_of
from daemon.messages import AlarmCode, Kind, Verdict
from daemon.parts import Settled
from daemon.replies import CollectedFrame, Collection
from daemon.requests import CollectFrames
from daemon.wire import ARRAY_LIMIT
from models.errors import InputError
from models.pixels import RawFrame

#: Bytes of frames that wait for their clients, of all collections together; but one part may
#: always wait, however large it is.
BACKLOG_BYTES = 256 << 20
#: Bytes of a reply's frames, so that it holds up nobody for long; one frame may be larger.
REPLY_BYTES = 16 << 20
#: Seconds after which a collection that nobody asked for is forgotten with its frames.
FORGOTTEN_S = 120.0

#: Where a collection's beginning and end are told: code, station, text.
Notice = Callable[[AlarmCode, str, str], None]
_Copy = tuple[CollectedFrame, RawFrame]


@dataclass
class _Open:
    """A collection, changed under the collector's lock alone."""

    name: str
    station: str
    request: CollectFrames
    asked: float  # time.monotonic() when its client was last heard
    collected: int = 0
    passed_over: int = 0
    lost: int = 0
    ended: str | None = None
    told: bool = False  # that it has ended
    newest: int = 0  # number of the last frame
    backlog: deque[_Copy] = field(default_factory=deque)

    @property
    def size(self) -> int:
        return sum(pixels.nbytes for _, pixels in self.backlog)

    def state(self) -> Collection:
        return Collection(
            collection=self.name,
            station=self.station,
            which=self.request.which,
            wanted=self.request.parts,
            collected=self.collected,
            passed_over=self.passed_over,
            lost=self.lost,
            ended=self.ended,
        )


class Collector:
    """``offer`` is the outlet's and never waits; the rest may be called by any other thread."""

    def __init__(
        self,
        notice: Notice,
        *,
        clock: Callable[[], float] = time.monotonic,
        room: int | None = None,
    ) -> None:
        """Take whom to tell; ``room``: bytes of the backlog, left out: BACKLOG_BYTES."""
        self._notice = notice
        self._clock = clock
        self._room = BACKLOG_BYTES if room is None else room
        self._lock = threading.Lock()
        self._open: dict[str, _Open] = {}  # by name; at most one of a station has not ended

    @property
    def stations(self) -> tuple[str, ...]:
        """Name the stations that hand over frames."""
        with self._lock:
            return tuple(sorted(one.station for one in self._open.values() if not one.ended))

    def begin(self, station: str, request: CollectFrames, client: str) -> Collection:
        """Begin a collection; raises ``InputError`` if the station has one already."""
        self.tend()
        with self._lock:
            if (other := self._of(station)) is not None:
                raise InputError(
                    f"station {station}: frames are collected already, as {other.name}"
                    f" ({other.collected} of {other.request.parts} parts); StopCollecting that, or"
                    f" wait: it ends by itself when nobody asked for {FORGOTTEN_S:.0f} s"
                )
            one = _Open(secrets.token_hex(8), station, request, self._clock())
            self._open[one.name] = one
            state = one.state()
        what = "good parts" if request.which == "good" else "parts, whatever their verdict,"
        text = f"frames of the next {request.parts} {what} are handed over to {client}"
        self._notice(AlarmCode.CALIBRATION, station, text)
        return state

    def take(
        self, name: str, after: int, limit: int = 1000
    ) -> tuple[Collection, list[CollectedFrame], list[RawFrame]]:
        """Give so many frames after a number at most, and forget those up to it.

        Raises ``InputError`` if the collection is not known.
        """
        with self._lock:
            one = self._known(name)
            while one.backlog and one.backlog[0][0].number <= after:
                one.backlog.popleft()
            infos: list[CollectedFrame] = []
            arrays: list[RawFrame] = []
            size = 0
            for info, pixels in islice(one.backlog, limit):
                size += pixels.nbytes
                if infos and size > REPLY_BYTES:
                    break
                infos.append(info)
                arrays.append(pixels)
            state = one.state()
        self._tell()
        return state, infos, arrays

    def stop(self, name: str, client: str) -> Collection:
        """End a collection and drop its frames; raises ``InputError`` if it is not known."""
        with self._lock:
            one = self._known(name)
            one.ended = one.ended or f"stopped by {client}"
            one.backlog.clear()
            del self._open[name]
            state, untold = one.state(), not one.told
        if untold:
            self._notice(AlarmCode.CALIBRATION_OFF, one.station, _ending(state))
        return state

    def tend(self) -> None:
        """End what its client has forgotten, and tell what has ended; to be called now and then."""
        with self._lock:
            now = self._clock()
            for one in self._open.values():
                if now - one.asked > FORGOTTEN_S:
                    one.ended = one.ended or f"nobody asked for its frames for {FORGOTTEN_S:.0f} s"
                    one.backlog.clear()
        self._tell()
        with self._lock:
            for one in list(self._open.values()):
                if one.told and now - one.asked > FORGOTTEN_S:
                    del self._open[one.name]

    # The outlet's.

    def offer(self, part: Settled, verdict: Verdict) -> None:
        """Copy a part's frames if its station's collection wants them and has room."""
        if not self._open:  # most of the time
            return
        views = seen_views(part)
        with self._lock:
            one = self._of(part.station)
            if one is None:
                return
            if views is None or not _wanted(one, verdict):
                one.passed_over += 1
                return
            if not self._has_room(one, views):
                return
        try:
            copies = copies_of(views)
        except MemoryError:
            copies = []
        with self._lock:
            if one.ended:
                return
            if not copies:
                one.lost += 1
                return
            for view, pixels in zip(views, copies, strict=True):
                one.newest += 1
                one.backlog.append((told_of(one.newest, verdict, view, pixels), pixels))
            one.collected += 1
            if one.collected >= one.request.parts:
                one.ended = "complete"

    def _has_room(self, one: _Open, views: list[SeenView]) -> bool:
        """Say whether there is room for a part; count it as lost where there is none."""
        sizes = [view.outcome.frame.pixels.nbytes for view in views]
        if max(sizes) > ARRAY_LIMIT:
            one.ended = (
                f"a frame has {max(sizes) / 1e6:.0f} MB, and a reply may hold"
                f" {ARRAY_LIMIT / 1e6:.0f} MB; stop effad and use the camera itself"
            )
            return False
        held = sum(other.size for other in self._open.values())
        if one.backlog and held + sum(sizes) > self._room:
            one.lost += 1
            return False
        return True

    def _of(self, station: str) -> _Open | None:
        running = (one for one in self._open.values() if one.station == station and not one.ended)
        return next(running, None)

    def _known(self, name: str) -> _Open:
        one = self._open.get(name)
        if one is None:
            raise InputError(
                f"collection {name!r} is not known: it was stopped, or nobody asked for its frames"
                f" for {FORGOTTEN_S:.0f} s; begin another with CollectFrames"
            )
        one.asked = self._clock()
        return one

    def _tell(self) -> None:
        """Tell of what has ended, without the lock: whoever is told may write to a disk."""
        with self._lock:
            ended = [one for one in self._open.values() if one.ended and not one.told]
            for one in ended:
                one.told = True
            states = [one.state() for one in ended]
        for state in states:
            self._notice(AlarmCode.CALIBRATION_OFF, state.station, _ending(state))


def _wanted(one: _Open, verdict: Verdict) -> bool:
    return one.request.which == "all" or (verdict.verdict is Kind.PASS and not verdict.bypassed)


def _ending(state: Collection) -> str:
    lost = f", {state.lost} lost as their client lagged" if state.lost else ""
    return (
        f"no more frames are handed over: {state.ended}, {state.collected} of {state.wanted}"
        f" parts{lost}"
    )
