"""The camera's process: opens the camera, gets slots for its frames, and acquires."""

import ctypes
import os
import signal
import socket
import sys

from daemon import log
from daemon.camera import link
from daemon.camera.acquisition import Acquisition
from daemon.camera.device import CAMERA_ERRORS, Camera
from daemon.camera.plan import Plan
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
        Acquisition(end, plan, camera, slots).run()
    finally:
        camera.close()


def main() -> int:
    """Run as ``python -m daemon.camera.process DESCRIPTOR PLAN``, by the daemon alone."""
    # A camera must not outlive its daemon: it would keep the device, and nobody would listen.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    plan = Plan.model_validate_json(sys.argv[2])
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
