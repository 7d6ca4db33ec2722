"""Frames of the running daemon, which goes on inspecting meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.shown import Shown
from daemon.client import Requester
from daemon.messages import PixelInfo, State
from daemon.replies import CollectedFrame, Collection, Reply
from daemon.requests import (
    CollectFrames,
    Request,
    Snapshot,
    SoftwareTrigger,
    StopCollecting,
    TakeFrames,
)
from daemon.security.keys import ClientKeys
from models.errors import InputError
from models.pixel_format import PixelFormat

_POLL_S = 0.1
_KEEP_S = 5.0  # without a word to the daemon, while frames that came are looked at
PATIENCE_S = 60.0  # that a wanted part may take to come


@dataclass(frozen=True)
class Daemon:
    """How a running daemon is reached, and which of its stations is meant."""

    endpoint: str  # its sockets.control
    keys: ClientKeys | None = None
    station: str | None = None  # may be left out where there is one

    def asking(self) -> Requester:
        return Requester(self.endpoint, keys=self.keys)


def ask(requester: Requester, request: Request) -> tuple[Reply, list[bytes]]:
    """Give what the daemon answers; what it refuses is an ``InputError``."""
    reply, parts = requester.ask_parts(request)
    if not reply.ok:
        raise InputError(f"the daemon refuses {request.command}: {reply.error}")
    return reply, parts


class DaemonSource:
    """The next parts of a station, each with all its views: a FrameSource.

    The frames are those that the daemon inspected, bit for bit. What this side is too slow to take
    is lost for the calibration alone, and told to ``lagging`` (parts lost so far).
    """

    def __init__(
        self,
        daemon: Daemon,
        parts: int,
        which: Literal["good", "all"],
        *,
        trigger: bool = False,
        patience_s: float = PATIENCE_S,
        lagging: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Take how many parts, good ones or all; ``trigger``: send the software triggers for them.

        ``patience_s``: how long the next part may take to come.
        """
        self._daemon = daemon
        self._request = CollectFrames(station=daemon.station, parts=parts, which=which)
        self._trigger = trigger
        self._patience_s = patience_s
        self._lagging = lagging
        self.state: Collection | None = None  # how far it has come

    @property
    def total(self) -> int | None:
        """Frames are as many as the parts have views, which is not known before they come."""
        return None

    def __iter__(self) -> Iterator[Shown]:
        with self._daemon.asking() as requester:
            reply, _ = ask(requester, self._request)
            begun = _state(reply)
            try:
                yield from self._frames(requester, begun)
            finally:
                with suppress(InputError):  # it is gone, or has ended: so has the collection
                    requester.ask(StopCollecting(collection=begun.collection))

    def _frames(self, requester: Requester, state: Collection) -> Iterator[Shown]:
        after, triggered, lost, heard = 0, 0, 0, time.monotonic()
        while True:
            if self._trigger and triggered == _known(state) and not state.ended:
                ask(requester, SoftwareTrigger(station=state.station))
                triggered += 1
            reply, arrays = ask(requester, TakeFrames(collection=state.collection, after=after))
            self.state = state = _state(reply)
            if state.lost > lost:
                lost = state.lost
                self._lagging(lost)
            heard = time.monotonic() if reply.frames else heard
            for info, array in zip(reply.frames or (), arrays, strict=True):
                after = info.number
                yield _shown(info, array)
                if time.monotonic() >= heard + _KEEP_S:  # whoever looks at it is slow
                    still = TakeFrames(collection=state.collection, after=after, limit=0)
                    ask(requester, still)
                    heard = time.monotonic()
            if reply.frames:
                continue
            if state.ended == "complete":
                return
            if state.ended or time.monotonic() > heard + self._patience_s:
                raise InputError(self._nothing(state, reply.state))
            time.sleep(_POLL_S)

    def _nothing(self, state: Collection, daemon: State | None) -> str:
        what = "good parts" if state.which == "good" else "parts"
        why = state.ended or f"none came for {self._patience_s:.0f} s"
        hint = "show more parts"
        if daemon is not State.CONTINUOUS_EXECUTION:
            hint = f"the daemon's state is {daemon}: StartJob"
        elif state.which == "good" and state.passed_over:
            hint = (
                f"{state.passed_over} came and were not PASS: where these are good ones, take all"
                " with --which all"
            )
        return f"station {state.station}: {state.collected} of {state.wanted} {what}: {why}; {hint}"


def _known(state: Collection) -> int:
    """Give how many triggers since the collection began have their verdict."""
    return state.collected + state.passed_over + state.lost


def _state(reply: Reply) -> Collection:
    if reply.collection is None:
        raise InputError("the daemon's answer names no collection: is it another version of effad?")
    return reply.collection


def _shown(info: CollectedFrame, array: bytes) -> Shown:
    named = f"{info.seq}-{info.camera}" if info.part.id is None else f"{info.part.id}-{info.camera}"
    return _frame(named, str(info.seq), info.frame, array)


def _frame(name: str, part: str, info: PixelInfo, array: bytes) -> Shown:
    """Give a frame as it came; the array is read where it lies."""
    little = np.frombuffer(array, np.dtype(info.dtype).newbyteorder("<"))
    pixels = little.reshape(info.shape).astype(info.dtype, copy=False)
    return Shown.of(name, part, pixels, PixelFormat(info.pixel_format))


class Snapshots:
    """The newest frame that the daemon inspected, again and again as it changes: a FrameSource.

    It asks for what any watcher may see; nothing is collected.
    """

    total = None

    def __init__(
        self, daemon: Daemon, camera: str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        """Take which camera, left out where the station has one, and how long to wait for it."""
        self._daemon = daemon
        self._request = Snapshot(station=daemon.station, camera=camera)
        self._patience_s = patience_s

    def __iter__(self) -> Iterator[Shown]:
        seen, heard = 0, time.monotonic()
        with self._daemon.asking() as requester:
            while True:
                reply, arrays = requester.ask_parts(self._request)
                late = time.monotonic() > heard + self._patience_s
                if not reply.ok and (late or "nothing was inspected yet" not in str(reply.error)):
                    raise InputError(f"the daemon gives no frame: {reply.error}")
                if reply.snapshot is not None and reply.snapshot.seq != seen:
                    seen, info = reply.snapshot.seq, reply.snapshot
                    yield _frame(f"{seen}-{info.camera}", str(seen), info.frame, arrays[0])
                    heard = time.monotonic()
                elif late:
                    raise InputError(f"no new frame for {self._patience_s:.0f} s; show more parts")
                else:
                    time.sleep(_POLL_S)
