"""From the settings of a camera to what its process is told."""

import os
from pathlib import Path

from daemon.camera.gate import OutputPlan
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
        overflow=camera.overflow,
        transfer_ms=camera.transfer_ms,
        output=output_plan(camera),
        log_level=settings.log.level,
        log_format=settings.log.format,
    )


def output_plan(camera: CameraSettings) -> OutputPlan | None:
    """Give how the camera's output is driven; None where it has none."""
    if not camera.output_line:
        return None
    return OutputPlan(
        line=camera.output_line,
        user_output=camera.output_user,
        pulse_ms=camera.output_pulse_ms,
        delay_ms=camera.output_delay_ms or None,
        encoder_counts=camera.output_encoder_counts or None,
    )


def check_output(camera: CameraSettings, deadline_ms: float) -> None:
    """Raise ``InputError`` if a verdict in time could be too late for the gate.

    With an encoder nobody knows how fast the belt runs: what comes too late there is an alarm.
    """
    if camera.output_line and 0 < camera.output_delay_ms < deadline_ms:
        raise InputError(
            f"camera {camera.name}: output_delay_ms = {camera.output_delay_ms:g}: the recipe's"
            f" deadline is {deadline_ms:g} ms, and a verdict may take as long; allowed is that and"
            " more: move the gate, or calibrate with a shorter deadline"
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
