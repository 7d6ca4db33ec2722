"""Throws mutants at a control server, from several peers at once, and keeps the books."""

import socket as system
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import zmq

from daemon.control.server import ControlCounts
from daemon.replies import Reply
from daemon.security.keys import ClientKeys
from tests.daemon.security.guarded import LIMIT, Guarded, wait_for
from tests.daemon.security.mutants import Parts, stream

_WINDOW = 40  # messages of a peer that are under way
_KINDS = (zmq.DEALER, zmq.DEALER, zmq.DEALER, zmq.DEALER)


@dataclass
class Books:
    """What was sent, and what came of it."""

    sent: int = 0
    valid: int = 0
    answered: set[str] = field(default_factory=set)  # ids of valid requests with ok
    replies: int = 0  # to all
    wrong: list[bytes] = field(default_factory=list)  # that are no replies

    @property
    def unanswered(self) -> int:
        return self.valid - len(self.answered)


def fuzz(line: Guarded, keys: ClientKeys | None, seed: int, count: int) -> Books:
    """Send so many messages; each peer reads what it is owed before it goes on."""
    books = Books()
    with zmq.Context() as context, ExitStack() as stack:
        peers = []
        for number, kind in enumerate(_KINDS):
            peer = stack.enter_context(context.socket(kind))
            peer.linger = 0
            if keys is not None:
                keys.put_on(peer)
            peer.connect(line.endpoint)
            peers.append((peer, stream(seed + number, count // len(_KINDS))))
        disturber = _disturb(line, context, keys)
        while peers:
            next(disturber)
            peers = [(peer, messages) for peer, messages in peers if _some(peer, messages, books)]
    return books


def _some(
    peer: "zmq.Socket[bytes]", messages: Iterator[tuple[str | None, Parts]], books: Books
) -> bool:
    """Send a window's worth, and take the replies; say whether there may be more to send."""
    sent = 0
    for _, (name, parts) in zip(range(_WINDOW), messages, strict=False):
        peer.send_multipart(parts)
        sent += 1
        books.valid += name is not None
    books.sent += sent
    for _ in range(sent):
        if not peer.poll(round(LIMIT * 1000)):
            return False
        _note(peer.recv_multipart()[-1], books)
    return sent == _WINDOW


def _note(body: bytes, books: Books) -> None:
    books.replies += 1
    try:
        reply = Reply.model_validate_json(body)
    except ValueError:
        books.wrong.append(body)
        return
    if reply.error is not None and ("\n" in reply.error or len(reply.error) > 1000):
        books.wrong.append(body)
    if reply.ok and reply.id.startswith("valid-"):
        books.answered.add(reply.id)


def _disturb(
    line: Guarded, context: "zmq.Context[zmq.Socket[bytes]]", keys: ClientKeys | None
) -> Iterator[None]:
    """Do now and then what no peer should: too long, no ZeroMQ, gone at once, half a message."""
    host, port = line.endpoint.removeprefix("tcp://").split(":")
    turn = 0
    while True:
        yield
        turn += 1
        if turn % 5 == 0:
            with system.create_connection((host, int(port))) as plain:
                plain.sendall(bytes(range(turn % 200)))
        if turn % 5 == 1:
            with context.socket(zmq.DEALER) as peer:
                peer.linger = 50 if turn % 10 == 1 else 0
                if keys is not None:
                    keys.put_on(peer)
                peer.connect(line.endpoint)
                peer.send(b"x" * ((1 << 20) + 1) if turn % 15 == 1 else b'{"command": "GetState"}')


def settled(line: Guarded, books: Books) -> ControlCounts:
    """Give the server's counts once they hold all that was sent."""

    def counted() -> int:
        counts = line.control.counts
        return counts.answered + counts.refused + counts.garbage + counts.limited

    wait_for(lambda: counted() >= books.sent)
    return line.control.counts
