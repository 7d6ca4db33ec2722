"""What the daemon wants of a camera."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from daemon.messages import TriggerSource


class Plan(BaseModel):
    """What the daemon wants of the camera; the command line of its process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    producer: Path
    serial: str
    trigger: TriggerSource
    buffers: int
    counter_poll_ms: int
    lost_after_ms: int
    last: int | None  # trigger number to go on from; None: begin with the device's counter
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["auto", "json", "console"]
