"""effad's own subscriber, to both sockets that effad speaks on."""

from contextlib import ExitStack
from typing import Self

import zmq

from daemon.security.keys import ClientKeys
from daemon.wire import ARRAY_LIMIT, NAME, Received, decode
from models.errors import InputError


class Subscriber:
    """Both sockets of effad, subscribed to. A context manager; use it in one thread."""

    def __init__(
        self,
        results: str,
        maps: str | None = None,
        station: str | None = None,
        *,
        keys: ClientKeys | None = None,
        partial: bool = False,
    ) -> None:
        """Take the endpoints, and the one station to hear of; without ``maps`` none are asked.

        ``partial``: also of parts that still wait for views.
        """
        if station is not None and not NAME.fullmatch(station):
            raise InputError(f"--station: {station!r} may hold letters, digits and _ . - only")
        self._endpoints = {"results": results, "maps": maps}
        self._station = station
        self._keys = keys
        self._verdicts = ("verdict/", "partial/") if partial else ("verdict/",)

    def __enter__(self) -> Self:
        of = f"{self._station}/" if self._station else ""
        topics = {
            "results": (
                *(f"{kind}{of}" for kind in self._verdicts),
                *("state/", "heartbeat/", "alarm/"),
            ),
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
        if self._keys is not None:
            self._keys.put_on(socket)
        for topic in topics:
            socket.subscribe(topic)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise InputError(
                f"--{name}: {endpoint!r} is not an endpoint such as tcp://127.0.0.1:5556"
            ) from error
        self._poller.register(socket, zmq.POLLIN)
