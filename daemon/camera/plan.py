"""What the daemon wants of a camera."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from daemon.camera.gate import OutputPlan
from daemon.messages import TriggerSource
from models.camera_parameters import FeatureValue


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
    overflow: Literal["drop_newest", "drop_oldest"] = "drop_newest"
    transfer_ms: float = 0.0  # the least time from exposure to reception
    output: OutputPlan | None = None  # None: the camera drives none
    features: dict[str, FeatureValue] = {}  # the recipe's, set before each start, in this order
    last: int | None = None  # trigger number to go on from; None: begin with the device's counter
    shift: int = 0  # by which that number exceeded the device's counter
    resumed: bool = False  # it is what another run of the daemon knew last, not a process of this
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["auto", "json", "console"]
