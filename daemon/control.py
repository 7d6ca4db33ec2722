"""The socket that effad is asked on (ROUTER): a request is JSON, and each gets a reply.

REQ and DEALER peers are answered alike: whatever a peer put before an empty part goes back before
its reply.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import zmq
from pydantic import ValidationError
from pydantic_core import from_json

from daemon.messages import PROTOCOL
from daemon.publisher import LINGER, bind
from daemon.requests import CLASSES, REQUEST, Command, Reply, Request
from daemon.wire import first_problem, protocol_of
from models.errors import InputError

POLL_MS = 50  # until ``stop`` is noticed
REQUEST_LIMIT = 64 << 10  # bytes; a longer request is refused with a reply
_DISCONNECT_LIMIT = 1 << 20  # bytes; who sends a longer part is cut off unread
_ID_LENGTH = 64  # of Request.id


@dataclass(frozen=True)
class Peer:
    """Who asks."""

    name: str  # of its key; its address where there are no keys
    may_command: bool  # else it may only watch


@dataclass(frozen=True)
class Answer:
    reply: Reply
    parts: tuple[bytes | memoryview, ...] = ()  # Snapshot: frame, map


Handler = Callable[[Request, Peer], Answer]
_ANYBODY = Peer("local", may_command=True)


class ControlServer:
    """Answers requests, one after the other, by a handler."""

    def __init__(self, endpoint: str, handler: "Handler") -> None:
        """Take where to listen, and who answers a valid request.

        The handler runs in the thread of ``serve`` and must return soon. An ``InputError`` that it
        raises is the reply; any other error of it ends ``serve``.
        """
        self._endpoint = endpoint
        self._handler = handler
        self._bound: Future[str] = Future()

    def wait_bound(self, timeout: float) -> str:
        """Wait (seconds) until the socket listens; give its endpoint.

        Raises ``InputError`` if it cannot, and ``TimeoutError`` if ``serve`` was not called.
        """
        return self._bound.result(timeout)

    def serve(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set; makes, uses and closes the socket in this thread.

        An endpoint that cannot be listened on ends it at once, and ``wait_bound`` raises why.
        """
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.linger = LINGER
            socket.maxmsgsize = _DISCONNECT_LIMIT
            try:
                endpoint = bind(socket, self._endpoint, "sockets.control")
            except InputError as error:
                self._bound.set_exception(error)
                return
            self._bound.set_result(endpoint)
            while not stop.is_set():
                if socket.poll(POLL_MS, zmq.POLLIN):
                    envelope, body = _open(socket.recv_multipart())
                    answer = self.answer(body, _ANYBODY)
                    reply = answer.reply.model_dump_json(exclude_none=True).encode()
                    # Never waits: a ROUTER drops what is for a peer that left or does not read.
                    socket.send_multipart([*envelope, reply, *answer.parts], flags=zmq.NOBLOCK)

    def answer(self, body: list[bytes], peer: Peer) -> Answer:
        """Give the answer to the parts of a request."""
        if len(body) != 1:
            return _refuse("", f"a request is one part of JSON, not {len(body)}")
        if len(body[0]) > REQUEST_LIMIT:
            return _refuse("", f"request of {len(body[0])} bytes: at most {REQUEST_LIMIT}")
        try:
            request = REQUEST.validate_json(body[0])
        except ValidationError as error:
            return _refuse(_id(body[0]), _explain(body[0], error))
        try:
            return self._handler(request, peer)
        except InputError as error:
            return _refuse(request.id, str(error))


def _open(parts: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Split what a ROUTER received into the way back and the request."""
    end = parts.index(b"") + 1 if b"" in parts[1:] else 1
    return parts[:end], parts[end:]


def _refuse(request_id: str, error: str) -> Answer:
    return Answer(Reply(id=request_id, ok=False, error=error))


def _id(body: bytes) -> str:
    """Give the id of a request that is wrong elsewhere, so that its sender knows which it was."""
    try:
        document = from_json(body)
    except ValueError:
        return ""
    value = document.get("id") if isinstance(document, dict) else None
    return value if isinstance(value, str) and len(value) <= _ID_LENGTH else ""


def _explain(body: bytes, error: ValidationError) -> str:
    """Give one line: what is wrong with a request, and what is allowed."""
    version = protocol_of(body)
    if version is not None and version != PROTOCOL:
        return f"protocol v {version!r:.20} is not known; allowed: {PROTOCOL}"
    problem = error.errors(include_url=False, include_context=False)[0]
    where, given = problem["loc"], problem["input"]
    commands = ", ".join(Command)
    if problem["type"] == "union_tag_not_found":
        return f"command is missing; allowed: {commands}"
    if problem["type"] == "union_tag_invalid":
        wrong = given.get("command") if isinstance(given, dict) else given
        return f"command {wrong!r:.60} is not known; allowed: {commands}"
    if len(where) < 2:
        return f'not a JSON object such as {{"command": "GetState"}}: {first_problem(error)}'
    if problem["type"] == "extra_forbidden":
        known = CLASSES[Command(str(where[0]))].model_fields
        allowed = ", ".join(known) if len(where) == 2 else "id, lot, serial"
        return f"key {where[-1]!r:.60} is not known; allowed: {allowed}"
    return first_problem(error)
