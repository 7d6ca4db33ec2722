"""From the settings of a camera to what its process is told."""

import os
from pathlib import Path

from daemon.camera.plan import Plan
from daemon.camera.producer import check_producer
from daemon.settings import CameraSettings, Settings
from daemon.simulator.build import ProducerError, producer
from models.errors import InputError


def camera_plan(settings: Settings, camera: CameraSettings) -> Plan:
    """Give what a camera's process is told; raises ``InputError`` if its producer is none."""
    return Plan(
        name=camera.name,
        producer=producer_path(camera),
        serial=camera.serial,
        trigger=camera.trigger,
        buffers=camera.buffers,
        counter_poll_ms=camera.counter_poll_ms,
        lost_after_ms=camera.lost_after_ms,
        last=None,
        log_level=settings.log.level,
        log_format=settings.log.format,
    )


def producer_path(camera: CameraSettings) -> Path:
    """Give the camera's GenTL producer, looked at by a child process before anyone loads it."""
    if camera.producer == "simulator":
        if "EFFAD_SCENE" not in os.environ:
            raise InputError(
                f"camera {camera.name}: the simulator shows what EFFAD_SCENE names, and that is not"
                " set; name a scene file (daemon.simulator.scene makes one), or try effad-demo"
            )
        try:
            return producer()
        except ProducerError as error:
            raise InputError(f"camera {camera.name}: {error}") from error
    path = Path(camera.producer)
    check_producer(path)
    return path
