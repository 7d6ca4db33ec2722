"""The words of ZAP 1.0 (ZeroMQ RFC 27), by which libzmq asks whom to let in: bytes, no sockets."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zmq.utils import z85

ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_KEY_BYTES = 32


@dataclass(frozen=True)
class Question:
    """Whether a connection may be made."""

    request: bytes  # given back in the reply
    domain: str  # which of our sockets
    address: str  # of the peer; without a port, and of a local socket empty or user and process
    key: str | None  # public key, Z85; None if it shows none


def read_question(parts: Sequence[bytes]) -> Question:
    """Read what libzmq asks; raises ``ValueError`` if it is no question of ZAP 1.0."""
    if len(parts) < 6 or parts[0] != _VERSION:
        raise ValueError(f"not of ZAP 1.0: {len(parts)} parts")
    request, domain, address, _, mechanism = parts[1:6]
    credentials = parts[6:]
    key = None
    if mechanism == b"CURVE" and len(credentials) == 1 and len(credentials[0]) == _KEY_BYTES:
        key = z85.encode(credentials[0]).decode()
    return Question(
        request, domain.decode("ascii", "replace"), address.decode("ascii", "replace"), key
    )


def let_in(question: Question, user: str, properties: Mapping[str, str]) -> list[bytes]:
    """Reply yes. Each message of the connection will carry ``User-Id`` and the properties."""
    metadata = b"".join(
        struct.pack(">B", len(name))
        + name.encode()
        + struct.pack(">I", len(value))
        + value.encode()
        for name, value in properties.items()
    )
    return [_VERSION, question.request, b"200", b"OK", user.encode(), metadata]


def turn_away(request: bytes, why: str) -> list[bytes]:
    """Reply no, for good: the client does not try again."""
    return [_VERSION, request, b"400", why.encode(), b"", b""]
