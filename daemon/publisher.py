"""The two sockets that effad speaks on: results (XPUB) and maps (PUB).

A slow subscriber loses its own messages, sees it by ``seq``, and never slows the line. The last
state and the last heartbeat are sent again when somebody subscribes; as a socket cannot send to one
subscriber alone, the others drop the double.
"""

import errno
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import zmq

from daemon.channel import Closed
from daemon.messages import Map
from daemon.security.door import Door, opened
from daemon.wire import Payload, Published, Wire, encode
from models.errors import InputError

SERVICE_PERIOD = 0.05  # seconds until a new subscriber is noticed
LINGER = 1000  # ms that the last messages have to leave after the end
#: Topics whose last value is sent again to whoever subscribes late.
LASTING = (b"state/", b"heartbeat/")
_SUBSCRIBE = 1  # first byte of what a subscriber sends; the topic's first bytes follow
_SUBSCRIPTION_LIMIT = 4096  # bytes
_SUBSCRIPTIONS = 256  # that are taken at once, so that who floods us holds up no verdict

_CAUSES = {
    errno.EADDRINUSE: "the address is in use: stop the other program (an effad?)",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "permission denied",
    errno.ENOENT: "its folder does not exist",
    errno.ENODEV: "this machine has no such address",
}


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """A message to publish. The array must not be written to any more: it is not copied."""

    message: Published
    array: Payload | None = None  # of a Map: see wire.encode_map
    header: bytes | None = None  # of a Verdict: as it stands in the journal


class Inbox(Protocol):
    """Where a publisher takes its messages from; ``daemon.channel.Channel`` is one."""

    def get(self, timeout: float) -> Outgoing:
        """Wait for ``timeout`` seconds; raise TimeoutError on nothing and Closed at the end."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where subscribers connect to; a port of 0 or * is replaced by the real one."""

    results: str
    maps: str


class Publisher:
    """Publishes the messages of a stream. A heartbeat must follow the verdicts that it counts."""

    def __init__(
        self,
        results: str,
        maps: str,
        *,
        results_high_water: int = 1000,
        maps_high_water: int = 16,
        door: Door | None = None,
    ) -> None:
        """Take endpoints to listen on, and how many messages wait for each slow subscriber.

        Without a door there are no keys, and nobody counts subscribers.
        """
        self._endpoints = Endpoints(results, maps)
        self._high_water = (results_high_water, maps_high_water)
        self._door = door
        self._bound: Future[Endpoints] = Future()

    def wait_bound(self, timeout: float) -> Endpoints:
        """Wait (seconds) until both sockets listen.

        Raises ``InputError`` if one cannot, and ``TimeoutError`` if ``run`` was not called.
        """
        return self._bound.result(timeout)

    @property
    def results_endpoint(self) -> str:
        return self.wait_bound(0).results

    @property
    def maps_endpoint(self) -> str:
        return self.wait_bound(0).maps

    def run(self, inbox: Inbox) -> None:
        """Publish until the inbox is closed; makes, uses and closes the sockets in this thread.

        An endpoint that cannot be listened on ends it at once, and ``wait_bound`` raises why.
        """
        with opened(self._door, results=zmq.XPUB, maps=zmq.PUB) as (results, maps):
            results.xpub_verbose = True
            try:
                endpoints = Endpoints(
                    _listen(results, self._endpoints.results, "results", self._high_water[0]),
                    _listen(maps, self._endpoints.maps, "maps", self._high_water[1]),
                )
            except InputError as error:
                self._bound.set_exception(error)
                return
            self._bound.set_result(endpoints)
            _publish(inbox, results, maps)


def bind(socket: "zmq.Socket[bytes]", endpoint: str, setting: str) -> str:
    """Listen, and give the endpoint with its real port; raise ``InputError`` if it cannot be."""
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        cause = _CAUSES.get(error.errno or 0, "not an endpoint, such as tcp://127.0.0.1:5556")
        raise InputError(
            f"{setting}: cannot listen on {endpoint!r}: {cause}, or set {setting} to another"
        ) from error
    return socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")


def keep_alive(socket: "zmq.Socket[bytes]") -> None:
    """Free what waits for a peer whose cable was pulled; wait at the end for those that read."""
    socket.linger = LINGER
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = 30  # seconds


def _listen(socket: "zmq.Socket[bytes]", endpoint: str, name: str, high_water: int) -> str:
    keep_alive(socket)
    socket.sndhwm = high_water
    socket.maxmsgsize = _SUBSCRIPTION_LIMIT  # of what peers send
    return bind(socket, endpoint, f"sockets.{name}")


def _publish(inbox: Inbox, results: "zmq.Socket[bytes]", maps: "zmq.Socket[bytes]") -> None:
    last: dict[bytes, list[Wire]] = {}
    serviced = 0.0
    while True:
        try:
            item = inbox.get(SERVICE_PERIOD)
        except TimeoutError:
            pass
        except Closed:
            return
        else:
            parts = encode(item.message, item.array, item.header)
            topic = bytes(parts[0])
            if topic in LASTING:
                last[topic] = parts
            _send(maps if isinstance(item.message, Map) else results, parts)
        if time.monotonic() < serviced + SERVICE_PERIOD:
            continue
        serviced = time.monotonic()
        maps.poll(0, zmq.POLLOUT)  # lets the socket forget who left, though no map be sent
        wanted = _subscriptions(results)
        for topic, parts in last.items():
            if any(topic.startswith(prefix) for prefix in wanted):
                _send(results, parts)


def _send(socket: "zmq.Socket[bytes]", parts: list[Wire]) -> None:
    # Takes in first what subscribers have read since; libzmq itself looks once a millisecond, and a
    # small high-water mark would by then have dropped what there is room for.
    socket.getsockopt(zmq.EVENTS)
    # What is small is copied faster than it is shared.
    socket.send_multipart(parts, flags=zmq.NOBLOCK, copy=len(parts) < 3)


def _subscriptions(results: "zmq.Socket[bytes]") -> set[bytes]:
    """Take what was subscribed to since the last call; of many, some are left for the next."""
    wanted = set()
    for _ in range(_SUBSCRIPTIONS):
        if not results.poll(0, zmq.POLLIN):
            break
        message = results.recv()
        if message[:1] == bytes([_SUBSCRIBE]):
            wanted.add(message[1:])
    return wanted
