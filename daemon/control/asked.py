"""From the parts that a ROUTER receives to a request, or to a line that says what is wrong."""

from collections.abc import Sequence

import zmq
from pydantic import ValidationError
from pydantic_core import from_json

from daemon.messages import PROTOCOL
from daemon.requests import CLASSES, REQUEST, Command, Request
from daemon.wire import first_problem, protocol_of

REQUEST_LIMIT = 64 << 10  # bytes; a longer request is refused with a reply
PARTS = 16  # of a message that are looked at; the rest is thrown away
_ENVELOPE_LIMIT = 1024  # bytes that a peer may put before its request, to get them back
_ID_LENGTH = 64  # of Request.id


class NotARequest(Exception):
    """What came is no request; in one line, why. Holds its id, where it has one."""

    def __init__(self, line: str, request_id: str = "") -> None:
        super().__init__(line)
        self.request_id = request_id


def way_back(parts: Sequence[zmq.Frame]) -> tuple[list[bytes], Sequence[zmq.Frame]]:
    """Split what a ROUTER received into what goes before the reply, and the request."""
    end = next((n for n, part in enumerate(parts[1:], 2) if len(part) == 0), 1)
    if sum(len(part) for part in parts[1:end]) > _ENVELOPE_LIMIT:
        return [parts[0].bytes, b""], parts[1:]
    return [part.bytes for part in parts[:end]], parts[end:]


def read_request(parts: Sequence[zmq.Frame]) -> Request:
    """Read a request; raises ``NotARequest``."""
    body = _body(parts)
    try:
        return REQUEST.validate_json(body)
    except ValidationError as error:
        raise NotARequest(_explain(body, error), _id(body)) from None


def id_of(parts: Sequence[zmq.Frame]) -> str:
    """Give the id of what may be a request, so that its sender knows which it was."""
    try:
        return _id(_body(parts))
    except NotARequest:
        return ""


def _body(parts: Sequence[zmq.Frame]) -> bytes:
    if len(parts) != 1:
        raise NotARequest(f"a request is one part of JSON, not {len(parts)}")
    if len(parts[0]) > REQUEST_LIMIT:
        raise NotARequest(f"request of {len(parts[0])} bytes: at most {REQUEST_LIMIT}")
    return parts[0].bytes


def _id(body: bytes) -> str:
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
