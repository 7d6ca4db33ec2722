"""effad's own end of the control socket."""

from types import TracebackType
from typing import Self

import zmq

from daemon.replies import Reply
from daemon.requests import Request
from daemon.security.keys import ClientKeys
from daemon.wire import ARRAY_LIMIT
from models.errors import InputError


class Requester:
    """The control socket, one request at a time. A context manager; use it in one thread."""

    def __init__(
        self, endpoint: str, timeout: float = 5.0, *, keys: ClientKeys | None = None
    ) -> None:
        """Take where the daemon listens, and how many seconds it has to answer."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.linger = 0
        self._socket.rcvtimeo = round(timeout * 1000)
        self._socket.sndtimeo = round(timeout * 1000)  # nobody is there: it was turned away
        self._socket.maxmsgsize = ARRAY_LIMIT
        # After a request that was not answered the next may be sent, and gets its own answer.
        self._socket.req_relaxed = True
        self._socket.req_correlate = True
        if keys is not None:
            keys.put_on(self._socket)
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
        return self.ask_parts(request)[0]

    def ask_parts(self, request: Request) -> tuple[Reply, list[bytes]]:
        """Give the daemon's answer and the parts behind it, such as a Snapshot's frame and map."""
        try:
            self._socket.send(request.model_dump_json().encode())
            reply, *parts = self._socket.recv_multipart()
        except zmq.Again:
            raise InputError(
                "the daemon does not answer on its control socket; if it has keys, look into its"
                " log, and compare the server's public key"
            ) from None
        return Reply.model_validate_json(reply), parts
