"""Starting and ending a camera's process."""

import signal
import socket
import subprocess
import sys

from daemon import log
from daemon.camera import link
from daemon.camera.plan import Plan
from models.errors import InputError

STOP_SECONDS = 5.0  # that a camera's process has to end before it is killed


def ending(status: int) -> str:
    """Say how a process ended."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def spawn(plan: Plan) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Start a camera's process; give our end of the line to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "daemon.camera.process",
                str(theirs.fileno()),
                plan.model_dump_json(),
            ],
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # a Ctrl-C at the terminal is the daemon's to handle
        )
    return ours, process


def wait(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a process that has been told to end; kill it if it does not. Gives its status."""
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        log.get("camera").error("camera process does not end, killing it", pid=process.pid)
        process.kill()
        return process.wait()


def look(plan: Plan) -> link.Opened:
    """Open a camera, say what it is, and close it; raises ``InputError`` if it cannot be used."""
    ours, process = spawn(plan)
    with ours:
        said = link.receive_from_camera(ours)
    status = wait(process)
    if isinstance(said, link.Opened):
        return said
    if isinstance(said, link.Refused):
        raise InputError(said.error)
    raise InputError(
        f"camera {plan.name}: its process ended with {ending(status)} before it was open;"
        " see the log"
    )
