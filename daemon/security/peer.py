"""Who is behind a message."""

import ipaddress
import re
from dataclasses import dataclass

import zmq

from daemon.security.keyring import Keyring, Permission

#: Property of each message of a connection that was let in, beside libzmq's own ``User-Id``.
KEY_PROPERTY = "Effad-Key"

_LOCAL = re.compile(r"[a-z]*:(\d+):\d+:(\d+)")


@dataclass(frozen=True)
class Peer:
    """Who asks."""

    name: str  # of its key; without keys local, or remote
    may_command: bool  # else it may only watch
    address: str = ""  # IP address, or user and process of this computer; empty if not known
    revoked: bool = False  # its key was good when it connected, and is no longer: it may nothing


def peer_of(part: zmq.Frame, keyring: Keyring | None) -> Peer:
    """Give who sent a part, by its connection; with keys by what its key is good for now."""
    address = _address(_property(part, "Peer-Address"))
    if keyring is None:
        return Peer(_place(address), may_command=True, address=address)
    client = keyring.client(_property(part, KEY_PROPERTY))
    if client is None:
        name = _property(part, "User-Id")
        return Peer(name, may_command=False, address=address, revoked=True)
    return Peer(client.name, client.permission is Permission.COMMAND, address)


def _property(part: zmq.Frame, name: str) -> str:
    try:
        value = part.get(name)
    except zmq.ZMQError:  # has none
        return ""
    return str(value)


def _address(raw: str) -> str:
    """Say in words what libzmq gives for a local socket: localhost:user:group:process."""
    found = _LOCAL.fullmatch(raw)
    return f"uid {found[1]}, process {found[2]}" if found else raw[:64]


def _place(address: str) -> str:
    try:
        return "local" if ipaddress.ip_address(address).is_loopback else "remote"
    except ValueError:
        return "local"
