"""The door of effad's sockets: lets in whose key is known, logs who is refused, counts who is in.

libzmq asks a ZAP handler for each connection with a key. Who comes without a key, or with another
server's, never gets that far: its handshake fails, which the socket's monitor tells.
"""

import errno
import socket as system
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import zmq

from daemon import log
from daemon.security import zap
from daemon.security.keyring import Keyring
from daemon.security.peer import KEY_PROPERTY
from daemon.security.refusals import Refusals

NAMES = ("control", "results", "maps")
_POLL_MS = 100  # until ``stop`` is noticed
_OPEN_SECONDS = 10.0
_HANDSHAKE_MS = 5000  # that a peer has to show its key
_EVENTS = (
    zmq.Event.ACCEPTED
    | zmq.Event.DISCONNECTED
    | zmq.Event.HANDSHAKE_SUCCEEDED
    | zmq.Event.HANDSHAKE_FAILED_AUTH
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
)
_ACCEPTED, _DISCONNECTED = int(zmq.Event.ACCEPTED), int(zmq.Event.DISCONNECTED)
_DECIDED = (int(zmq.Event.HANDSHAKE_SUCCEEDED), int(zmq.Event.HANDSHAKE_FAILED_AUTH))
_EVENT = struct.Struct("=Hi")
_NO_KEY = "its keys and ours do not go together: one of us has none"
_WHY: dict[int, str] = {
    zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: _NO_KEY,
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: "it has another server key than ours",
}
_NOT_ZEROMQ = "it does not speak ZeroMQ as it should, or that of long ago"
_LEFT = "it left in its handshake, as those do whose keys and ours do not go together"
_UNKNOWN_KEY = "its key is not among the clients'"
_GONE = "unknown (it left at once)"


@dataclass(frozen=True)
class DoorCounts:
    """For metrics."""

    connections: dict[str, int]  # that are open now, of each socket
    refused: dict[str, int]  # since the start, of each socket


class _Guarded:
    """What the monitor told of a socket."""

    def __init__(self) -> None:
        self.open: dict[int, str] = {}  # descriptor: address
        self.undecided: set[int] = set()  # descriptors in their handshake
        self.failed: tuple[int, int] | None = None  # event, value: whose comes with the next


class Door:
    """Guards the sockets of its context. ``run`` has a thread of its own; ``close`` comes last."""

    def __init__(self, keyring: Keyring | None) -> None:
        """Take the keys, or None for no keys."""
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.keyring = keyring
        self._opened: Future[None] = Future()
        self._lock = threading.Lock()
        self._guarding = 0
        self._ended = False
        self._guarded = {name: _Guarded() for name in NAMES}
        self._refused: Counter[str] = Counter()
        self._refusals = Refusals("door")
        self._log = log.get("door")
        self._monitors: dict[zmq.Socket[bytes], str] = {}

    @property
    def counts(self) -> DoorCounts:
        return DoorCounts(
            {name: len(guarded.open) for name, guarded in self._guarded.items()},
            dict(self._refused),
        )

    def run(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set and no socket is guarded any more."""
        with self.context.socket(zmq.REP) as questions:
            questions.linger = 0
            if self.keyring is not None:
                questions.bind(zap.ENDPOINT)
            poller = zmq.Poller()
            poller.register(questions, zmq.POLLIN)
            for name in NAMES:
                poller.register(self._listen(name), zmq.POLLIN)
            self._opened.set_result(None)
            while not self._may_end(stop):
                for ready, _ in poller.poll(_POLL_MS):
                    if ready is questions:
                        questions.send_multipart(self._answer(questions.recv_multipart()))
                    else:
                        self._notice(self._monitors[ready], ready)
                self._refusals.settle()
        # Not where an exception ends us: libzmq's I/O thread would wait for somebody to hear its
        # events. New connections are refused then, as nobody answers for them.
        for monitor in self._monitors:
            monitor.close(linger=0)

    def close(self) -> None:
        """Close what is left, once the threads of all sockets have ended; wait for what lingers."""
        self.context.destroy()

    @contextmanager
    def guard(self, socket: "zmq.Socket[bytes]", name: str) -> Iterator[None]:
        """Guard a socket; bind within. ``name`` is one of ``NAMES``."""
        self._opened.result(_OPEN_SECONDS)
        with self._lock:
            if self._ended:
                raise RuntimeError("the door has closed")
            self._guarding += 1
        try:
            if self.keyring is not None:
                secret = self.keyring.server.secret
                assert secret is not None  # noqa: S101 (a keyring's server has both)
                socket.curve_server = True
                socket.curve_secretkey = secret.encode()
                socket.zap_domain = name.encode()
                # Else libzmq lets everybody in when no handler is there.
                socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            socket.handshake_ivl = _HANDSHAKE_MS
            socket.monitor(_monitor(name), _EVENTS)
            try:
                yield
            finally:
                socket.disable_monitor()
        finally:
            with self._lock:
                self._guarding -= 1

    def _listen(self, name: str) -> "zmq.Socket[bytes]":
        """Connect to the monitor of a socket that is still to come."""
        monitor = self.context.socket(zmq.PAIR)
        self._monitors[monitor] = name
        monitor.rcvhwm = 0  # a full queue would block libzmq's I/O thread
        monitor.connect(_monitor(name))
        return monitor

    def _may_end(self, stop: threading.Event) -> bool:
        with self._lock:
            self._ended = stop.is_set() and self._guarding == 0
            return self._ended

    def _answer(self, parts: list[bytes]) -> list[bytes]:
        question = zap.read_question(parts)
        client = self.keyring.client(question.key) if self.keyring and question.key else None
        if client is None:
            self._refuse(question.domain, question.address, _UNKNOWN_KEY, key=question.key)
            return zap.turn_away(question.request, "unknown key")
        self._log.debug(
            "connected", socket=question.domain, key=client.name, address=question.address
        )
        return zap.let_in(question, client.name, {KEY_PROPERTY: client.public})

    def _notice(self, name: str, monitor: "zmq.Socket[bytes]") -> None:
        """Take all that a monitor tells, at once: an address lasts as long as its connection."""
        guarded = self._guarded[name]
        while monitor.poll(0):
            event, value = _event(monitor.recv_multipart()[0])
            if event == _DISCONNECTED:
                address = guarded.open.pop(value, _GONE)
                if guarded.failed is not None:  # just before, and does not say whose
                    self._tell_failure(name, address, *guarded.failed)
                elif value in guarded.undecided:  # ZMTP 1 and 2 are sent away without a word
                    self._refuse(name, address, _NOT_ZEROMQ)
                guarded.undecided.discard(value)
            elif event == _ACCEPTED:
                guarded.open[value] = _peer_address(value)
                guarded.undecided.add(value)
            elif event in _DECIDED:
                guarded.undecided.clear()  # of several at once it does not say which
            failed = event not in (_DISCONNECTED, _ACCEPTED, *_DECIDED)
            guarded.failed = (event, value) if failed else None

    def _tell_failure(self, name: str, address: str, event: int, value: int) -> None:
        """Tell of a handshake that failed; who has no key may be faster to leave than we to see."""
        if event == zmq.Event.HANDSHAKE_FAILED_NO_DETAIL:
            self._refuse(name, address, _LEFT, cause=errno.errorcode.get(value, str(value)))
        else:
            self._refuse(name, address, _WHY.get(value, _NOT_ZEROMQ))

    def _refuse(self, name: str, address: str, why: str, **about: object) -> None:
        self._refused[name] += 1
        self._refusals.tell(
            f"{name} {address}", "refused", socket=name, address=address, why=why, **about
        )


@contextmanager
def opened(door: Door | None, **kinds: int) -> Iterator[list["zmq.Socket[bytes]"]]:
    """Give a socket for each name: guarded by a door, else of a context of their own."""
    with ExitStack() as stack:
        context = door.context if door else stack.enter_context(zmq.Context())
        sockets = []
        for name, kind in kinds.items():
            socket = stack.enter_context(context.socket(kind))
            sockets.append(socket)
            if door is not None:
                stack.enter_context(door.guard(socket, name))
        yield sockets


def _event(part: bytes) -> tuple[int, int]:
    """Give number and value of an event, as zmq_socket_monitor(3) lays them out."""
    number, value = _EVENT.unpack(part)
    return int(number), int(value)


def _monitor(name: str) -> str:
    return f"inproc://effad-monitor-{name}"


def _peer_address(descriptor: int) -> str:
    """Give whom a connection of libzmq's is with. It may be gone by now."""
    try:
        connection = system.socket(fileno=descriptor)
    except OSError:
        return _GONE
    try:
        if connection.family == system.AF_UNIX:
            return "local"
        return str(connection.getpeername()[0])
    except OSError:
        return _GONE
    finally:
        connection.detach()
