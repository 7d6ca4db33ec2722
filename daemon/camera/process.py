"""The camera's process: opens the camera, gets slots for its frames, and acquires."""

import ctypes
import os
import signal
import socket
import sys

from daemon import log
from daemon.camera import link
from daemon.camera.acquisition import Acquisition
from daemon.camera.buffer import CAMERA_ERRORS
from daemon.camera.device import Camera
from daemon.camera.plan import Plan
from daemon.interpreter import steady
from daemon.slots import Slots
from models.errors import InputError

_PR_SET_PDEATHSIG = 1


def serve(end: socket.socket, plan: Plan) -> None:
    """Open the camera, get slots for its frames, and acquire."""
    camera = Camera(plan.producer, plan.serial, plan.buffers)
    try:
        opened = link.Opened(
            vendor=camera.vendor,
            model=camera.model,
            serial=camera.serial,
            width=int(camera.node("Width")),
            height=int(camera.node("Height")),
            pixel_format=str(camera.node("PixelFormat")),
            counter=camera.counter(),
        )
        link.send(end, opened)
        received = link.receive_to_camera(end)
        if received is None or not isinstance(received[0], link.UseSlots) or received[1] is None:
            return
        slots = Slots(received[1], received[0].count, received[0].size)
        steady()
        Acquisition(end, plan, camera, slots).run()
    finally:
        camera.close()


def _die_with_the_daemon(lower: bool) -> None:
    """Do not outlive the daemon: the device would be kept, and nobody would listen.

    With an output to ``lower`` there is a second to see by the socket that the daemon is gone, and
    to set it low: high means good. SIGHUP is signal 1, and alarm(1) ends the process in a second
    whatever it hangs in, which no handler of Python's could.
    """
    library = ctypes.CDLL(None)
    if lower:
        library.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        library.signal(signal.SIGHUP, ctypes.cast(library.alarm, ctypes.c_void_p))
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGHUP if lower else signal.SIGKILL)


def main() -> int:
    """Run as ``python -m daemon.camera.process DESCRIPTOR PLAN``, by the daemon alone."""
    plan = Plan.model_validate_json(sys.argv[2])
    _die_with_the_daemon(lower=plan.output is not None)
    log.configure(plan.log_format, plan.log_level, camera=plan.name)
    with socket.socket(fileno=int(sys.argv[1])) as end:
        try:
            serve(end, plan)
        except InputError as error:
            link.send(end, link.Refused(error=str(error)))
            return 2
        except CAMERA_ERRORS as error:
            said = " ".join(str(error).split())
            log.get("camera").error("camera failed", camera=plan.name, error=said)
            return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # harvesters' finalizers fail noisily at interpreter exit once a camera was lost.
    os._exit(status)
