"""What the service manager is told: sd_notify(3), and nothing where there is no manager."""

import os
import socket

from daemon import log
from models.errors import InputError

#: A manager that does not read must not hold up who tells it.
_PATIENCE_S = 1.0
_log = log.get(__name__)


def ready(status: str = "") -> bool:
    """Say that the start is done; each of these says whether the manager was told."""
    return _tell("READY=1", *([_status(status)] if status else []))


def status(text: str) -> bool:
    """Say in one line what is going on, for ``systemctl status``."""
    return _tell(_status(text))


def stopping() -> bool:
    """Say that the end has begun."""
    return _tell("STOPPING=1")


def alive() -> bool:
    """Keep the watchdog from biting."""
    return _tell("WATCHDOG=1")


def extend_timeout(seconds: float) -> bool:
    """Ask for this much time from now on, for a start or a stop that takes longer."""
    return _tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")


def watchdog_period() -> float | None:
    """Give the period at which ``alive`` is due, in seconds: half of what the watchdog allows.

    None if this process is not watched.
    """
    allowed, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if allowed is None or (pid is not None and pid != str(os.getpid())):
        return None
    if not (allowed.isdecimal() and int(allowed) > 0):
        raise InputError(
            f"environment: WATCHDOG_USEC = {allowed!r}: allowed is a whole number of microseconds"
            " above 0; unset it, or let systemd set it"
        )
    return int(allowed) / 2e6


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"


def _tell(*lines: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(_PATIENCE_S)
        try:
            sender.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            _log.warning("the service manager was not told", lines=lines, error=str(error))
            return False
    return True
