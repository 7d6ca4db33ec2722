"""Every verdict of a station, each once, in order: those that were missed, then live ones."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from daemon.client.requester import Requester
from daemon.client.subscriber import Subscriber
from daemon.messages import Heartbeat, Verdict
from daemon.requests import ReplayFrom
from daemon.security.keys import ClientKeys
from models.errors import InputError


@dataclass(frozen=True)
class Position:
    """How far somebody has come: the newest verdict that they have; seq 0: none."""

    seq: int = 0
    epoch: int | None = None


@dataclass(frozen=True)
class Gone:
    """Verdicts that are not to be had any more: the journal does not keep them, or is another."""

    first: int
    last: int


class Follower:
    """Follows a station (the Clone pattern of the ZeroMQ guide). A context manager for one thread.

    It subscribes, asks for what came after its position, gives that, and goes on with what was
    published meanwhile. Whenever a seq or a heartbeat shows that something is missing it asks
    again. ``position`` is to be kept by who wants to go on after a restart of their own.
    """

    def __init__(
        self,
        results: str,
        control: str,
        station: str,
        position: Position | None = None,
        *,
        keys: ClientKeys | None = None,
        timeout: float = 5.0,
    ) -> None:
        """Take the endpoints, and how many seconds the daemon has to answer."""
        self.station = station
        self.position = position or Position()
        self._subscriber = Subscriber(results, None, station, keys=keys)
        self._endpoint, self._keys, self._timeout = control, keys, timeout
        self._ready: deque[Verdict | Gone] = deque()
        self._behind = True  # what was published before we came is still to be asked for
        self._held: Verdict | None = None  # live, behind a gap

    def __enter__(self) -> Self:
        self._subscriber.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._subscriber.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Verdict | Gone]:
        while True:
            try:
                yield self.receive(1.0)
            except TimeoutError:
                continue

    def receive(self, timeout: float) -> Verdict | Gone:
        """Give the next verdict, or what is gone before it; raises ``TimeoutError`` (seconds).

        A daemon that does not answer is asked again at the next heartbeat that it sends.
        """
        until = time.monotonic() + timeout
        while not self._ready:
            if self._behind and not self._catch_up():
                self._behind = False  # until a heartbeat says that it is there again
            if self._ready:
                break
            received = self._subscriber.receive(max(0.0, until - time.monotonic()))
            match received.message:
                case Verdict() as verdict if not verdict.isPartial:
                    self._live(verdict)
                case Heartbeat() as heartbeat if self.station in heartbeat.seq:
                    self._behind = self._behind or self._misses(heartbeat)
        return self._ready.popleft()

    def _live(self, verdict: Verdict) -> None:
        if verdict.seq == self.position.seq + 1:
            self._take(verdict)
        elif verdict.seq > self.position.seq or verdict.epoch != self.position.epoch:
            self._behind = True  # those before it are in the journal, and perhaps itself
            self._held = verdict

    def _misses(self, heartbeat: Heartbeat) -> bool:
        newest = heartbeat.seq[self.station]
        return newest > self.position.seq or (
            newest < self.position.seq and self._elsewhere(heartbeat)
        )

    def _elsewhere(self, heartbeat: Heartbeat) -> bool:
        """Say whether a later run of the daemon counts less than we have: a new journal."""
        return self.position.epoch is None or heartbeat.epoch > self.position.epoch

    def _catch_up(self) -> bool:
        """Ask for what is missing, page by page; False if nobody answers."""
        try:
            with Requester(self._endpoint, self._timeout, keys=self._keys) as requester:
                while self._page(requester):
                    pass
        except InputError:
            return False
        self._behind = False
        held, self._held = self._held, None
        if held is not None and held.seq == self.position.seq + 1:
            self._take(held)
        return True

    def _page(self, requester: Requester) -> bool:
        """Take in a page; True if there is another."""
        at = self.position
        reply = requester.ask(ReplayFrom(station=self.station, seq=at.seq, epoch=at.epoch))
        if not reply.ok:
            raise InputError(reply.error or "the daemon refuses to replay")
        if reply.reset:
            at = self.position = Position()
        for document in reply.verdicts or ():
            verdict = Verdict.model_validate(document)
            if verdict.seq > self.position.seq + 1:
                self._ready.append(Gone(self.position.seq + 1, verdict.seq - 1))
            self._take(verdict)
        return bool(reply.more)

    def _take(self, verdict: Verdict) -> None:
        self.position = Position(verdict.seq, verdict.epoch)
        self._ready.append(verdict)
