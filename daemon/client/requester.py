"""effad's own end of the control socket."""

from types import TracebackType
from typing import Self

import zmq

from daemon.requests import Reply, Request
from models.errors import InputError


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
