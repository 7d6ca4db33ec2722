"""effad's own subscriber and requester: what a SCADA, or a test, talks to the daemon with."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

import zmq

from daemon.messages import Heartbeat, Reply, Request, Verdict
from daemon.wire import ARRAY_LIMIT, NAME, Received, decode
from models.errors import InputError


class Subscriber:
    """Both sockets of effad, subscribed to. A context manager; use it in one thread."""

    def __init__(self, results: str, maps: str | None = None, station: str | None = None) -> None:
        """Take the endpoints, and the one station to hear of; without ``maps`` none are asked."""
        if station is not None and not NAME.fullmatch(station):
            raise InputError(f"--station: {station!r} may hold letters, digits and _ . - only")
        self._endpoints = {"results": results, "maps": maps}
        self._station = station

    def __enter__(self) -> Self:
        of = f"{self._station}/" if self._station else ""
        topics = {
            "results": (f"verdict/{of}", "state/", "heartbeat/", "alarm/"),
            "maps": (f"map/{of}",),
        }
        with ExitStack() as undo:
            self._context = zmq.Context()
            undo.callback(self._context.destroy, linger=0)
            self._poller = zmq.Poller()
            for name, endpoint in self._endpoints.items():
                if endpoint is not None:
                    self._connect(name, endpoint, topics[name])
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def receive(self, timeout: float) -> Received:
        """Give the next message; raises ``TimeoutError`` (seconds) and ``WireError``."""
        ready = self._poller.poll(max(0, round(timeout * 1000)))
        if not ready:
            raise TimeoutError
        parts = ready[0][0].recv_multipart(copy=False)
        return decode([part.buffer for part in parts])

    def _connect(self, name: str, endpoint: str, topics: tuple[str, ...]) -> None:
        socket = self._context.socket(zmq.SUB)
        socket.maxmsgsize = ARRAY_LIMIT
        socket.heartbeat_ivl = 2000  # ms: connects again after a cable was pulled
        for topic in topics:
            socket.subscribe(topic)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise InputError(
                f"--{name}: {endpoint!r} is not an endpoint such as tcp://127.0.0.1:5556"
            ) from error
        self._poller.register(socket, zmq.POLLIN)


class SeqCheck:
    """Notices by ``seq`` which verdicts of each station did not arrive."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # station: epoch, seq
        self._alive = False

    def verdict(self, verdict: Verdict) -> tuple[bool, str | None]:
        """Give whether this verdict is new, and a line on what is missing before it."""
        known = self._last.get(verdict.station, (verdict.epoch, verdict.seq - 1))
        now = (verdict.epoch, verdict.seq)
        if now <= known:
            return False, None
        self._last[verdict.station] = now
        if verdict.seq <= known[1]:
            return True, f"{verdict.station}: seq is {verdict.seq} after {known[1]}: a new journal?"
        if verdict.seq == known[1] + 1:
            return True, None
        return True, _lost(verdict.station, known[1] + 1, verdict.seq - 1)

    def heartbeat(self, heartbeat: Heartbeat) -> list[str]:
        """Give a line for each station whose last verdicts did not arrive.

        The first heartbeat is no start of a count: it may be from before we came, sent again.
        """
        lines = []
        for station, counted in heartbeat.seq.items():
            if station not in self._last:
                if self._alive:
                    self._last[station] = (heartbeat.epoch, counted)
                continue
            epoch, seq = self._last[station]
            if heartbeat.epoch < epoch or counted == seq:
                continue
            if counted > seq:
                lines.append(_lost(station, seq + 1, counted))
            elif heartbeat.epoch == epoch:
                continue  # sent again for another subscriber
            self._last[station] = (heartbeat.epoch, counted)
        self._alive = True
        return lines


class Requester:
    """The control socket, one request at a time. A context manager; use it in one thread."""

    def __init__(self, endpoint: str, timeout: float = 5.0) -> None:
        """Take where the daemon listens, and how many seconds it has to answer."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.linger = 0
        self._socket.rcvtimeo = round(timeout * 1000)
        self._socket.connect(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.destroy(linger=0)

    def ask(self, request: Request) -> Reply:
        """Give the daemon's answer; raises ``InputError`` if none comes."""
        self._socket.send(request.model_dump_json().encode())
        try:
            return Reply.model_validate_json(self._socket.recv())
        except zmq.Again:
            raise InputError("the daemon does not answer on its control socket") from None


def _lost(station: str, first: int, last: int) -> str:
    which = f"verdict {first}" if first == last else f"verdicts {first} to {last}"
    return f"{station}: lost {which} ({last - first + 1}); they were sent and did not arrive"
