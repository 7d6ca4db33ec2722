"""The socket that effad is asked on (ROUTER): a request is JSON, and each gets a reply.

REQ and DEALER peers are answered alike: whatever a peer put before an empty part goes back before
its reply. Nothing that a peer sends, or leaves unread, holds up the others.
"""

import errno
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeAlias

import zmq

from daemon import log
from daemon.control.asked import PARTS, REQUEST_LIMIT, NotARequest, id_of, read_request, way_back
from daemon.control.rate import Rates
from daemon.publisher import bind, keep_alive
from daemon.replies import Reply
from daemon.requests import LATER, UNAUDITED, WATCHING, Request
from daemon.security.door import Door, opened
from daemon.security.peer import Peer, peer_of
from daemon.security.refusals import Refusals
from models.errors import InputError

__all__ = ["REQUEST_LIMIT", "Answer", "Audit", "ControlCounts", "ControlServer", "Handler", "Peer"]

POLL_MS = 50  # until ``stop`` is noticed
RATE = 200  # requests of a peer per second
_DISCONNECT_LIMIT = 1 << 20  # bytes; who sends a longer part is cut off unread
_MOST_LATER = 64  # requests whose answers are still to come
_UNREAD = 100  # replies that wait for a slow peer; each may be a frame or 5000 verdicts


@dataclass(frozen=True)
class Answer:
    reply: Reply
    parts: tuple[bytes | memoryview, ...] = ()  # Snapshot: frame, map


#: Answers a valid request of who may ask it; of ``LATER``, with what will hold the answer.
Handler: TypeAlias = Callable[[Request, Peer], Answer | Future[Answer]]
#: Is told of each request that would change something, and of its reply, refused or not.
Audit: TypeAlias = Callable[[Peer, Request, Reply], None]


@dataclass(frozen=True)
class _Later:
    """A request whose answer is still to come."""

    envelope: list[bytes]
    peer: Peer
    request: Request
    answer: "Future[Answer]"


@dataclass(frozen=True)
class ControlCounts:
    """For metrics. Each message that came is one of the first four."""

    answered: int = 0  # by the handler
    refused: int = 0  # by permission
    garbage: int = 0  # no requests
    limited: int = 0  # over the rate
    lost: int = 0  # replies that their peer did not wait for, or does not read


class ControlServer:
    """Answers requests, one after the other, by a handler."""

    def __init__(
        self,
        endpoint: str,
        handler: Handler,
        *,
        door: Door | None = None,
        rate: float = RATE,
        audit: Audit | None = None,
    ) -> None:
        """Take where to listen, and who answers a valid request.

        The handler runs in the thread of ``serve`` and must return soon. An ``InputError`` that it
        raises, or what it gave for later holds, is the reply; any other error of it, or of the
        audit, ends ``serve``.
        """
        self._endpoint = endpoint
        self._handler = handler
        self._door = door
        self._keyring = door.keyring if door else None
        self._audit = audit
        self._rate = rate
        self._rates = Rates(rate)
        self._refusals = Refusals("control")
        self._later: list[_Later] = []
        self._bound: Future[str] = Future()
        self._log = log.get("control")
        self.counts = ControlCounts()

    def wait_bound(self, timeout: float) -> str:
        """Wait (seconds) until the socket listens; give its endpoint.

        Raises ``InputError`` if it cannot, and ``TimeoutError`` if ``serve`` was not called.
        """
        return self._bound.result(timeout)

    def serve(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set; makes, uses and closes the socket in this thread.

        An endpoint that cannot be listened on ends it at once, and ``wait_bound`` raises why.
        """
        with opened(self._door, control=zmq.ROUTER) as (socket,):
            keep_alive(socket)
            socket.maxmsgsize = _DISCONNECT_LIMIT
            socket.sndhwm = _UNREAD
            socket.router_mandatory = True  # tells of a reply that cannot be delivered
            try:
                endpoint = bind(socket, self._endpoint, "sockets.control")
            except InputError as error:
                self._bound.set_exception(error)
                return
            self._bound.set_result(endpoint)
            while not stop.is_set():
                if socket.poll(POLL_MS, zmq.POLLIN):
                    self._serve(socket)
                else:
                    self._refusals.settle()
                self._serve_later(socket)

    def _serve(self, socket: "zmq.Socket[bytes]") -> None:
        parts = _receive(socket)
        if not parts:
            return
        envelope, body = way_back(parts)
        if self._rates.allow(envelope[0]):
            answer = self._answer(body, peer_of(parts[0], self._keyring), envelope)
        else:
            self._count("limited")
            answer = _error(id_of(body), f"too many requests: at most {self._rate:g} a second")
        if answer is not None:
            self._reply(socket, envelope, answer)

    def _serve_later(self, socket: "zmq.Socket[bytes]") -> None:
        """Send the answers that have come meanwhile."""
        for later in [later for later in self._later if later.answer.done()]:
            self._later.remove(later)
            try:
                answer = later.answer.result()
            except InputError as error:
                answer = _error(later.request.id, str(error))
            self._audited(later.peer, later.request, answer)
            self._reply(socket, later.envelope, answer)

    def _reply(
        self, socket: "zmq.Socket[bytes]", envelope: Sequence[bytes], answer: Answer
    ) -> None:
        reply = answer.reply.model_dump_json(exclude_none=True).encode()
        if not _send(socket, [*envelope, reply, *answer.parts]):
            self._count("lost")

    def _answer(
        self, body: Sequence[zmq.Frame], peer: Peer, envelope: list[bytes]
    ) -> Answer | None:
        """Answer what may be a request; None: later."""
        try:
            request = read_request(body)
        except NotARequest as error:
            self._count("garbage")
            return _error(error.request_id, str(error))
        answer = self._permitted(request, peer)
        if isinstance(answer, Future):
            self._later.append(_Later(envelope, peer, request, answer))
            return None
        self._audited(peer, request, answer)
        return answer

    def _audited(self, peer: Peer, request: Request, answer: Answer) -> None:
        if self._audit is not None and request.command not in UNAUDITED:
            self._audit(peer, request, answer.reply)

    def _permitted(self, request: Request, peer: Peer) -> "Answer | Future[Answer]":
        """Answer a request of who may ask it."""
        why = _forbidden(request, peer)
        if why is not None:
            self._count("refused")
            self._refusals.tell(
                f"{peer.name} {peer.address}",
                "refused",
                key=peer.name,
                address=peer.address,
                command=request.command.value,
                why=why,
            )
            return _error(request.id, why)
        self._count("answered")
        if request.command in LATER and len(self._later) >= _MOST_LATER:
            return _error(request.id, f"{_MOST_LATER} commands are under way; wait for a reply")
        try:
            return self._handler(request, peer)
        except InputError as error:
            return _error(request.id, str(error))

    def _count(self, name: str) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + 1})


def _forbidden(request: Request, peer: Peer) -> str | None:
    """Say in a line why a peer may not ask this; None if it may."""
    if peer.revoked:
        return f"key {peer.name} was revoked; ask for a new one"
    if request.command not in WATCHING and not peer.may_command:
        return f"{request.command} needs permission command; key {peer.name} has watch"
    return None


def _error(request_id: str, line: str) -> Answer:
    return Answer(Reply(id=request_id, ok=False, error=line))


def _receive(socket: "zmq.Socket[bytes]") -> list[zmq.Frame]:
    """Take a message, and of its parts no more than one too many."""
    parts: list[zmq.Frame] = []
    more = True
    while more:
        try:
            part = socket.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return []
        more = part.more
        if len(parts) <= PARTS:
            parts.append(part)
    return parts


def _send(socket: "zmq.Socket[bytes]", parts: Sequence[bytes | memoryview]) -> bool:
    """Send without waiting; say whether there was room, and anybody to send it to."""
    try:
        socket.send_multipart(parts, flags=zmq.NOBLOCK)
    except zmq.ZMQError as error:
        if error.errno not in (errno.EAGAIN, errno.EHOSTUNREACH):
            raise
        return False
    return True
