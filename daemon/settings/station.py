"""The settings of a station and its cameras."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from daemon.messages import TriggerSource

SIMULATOR: Literal["simulator"] = "simulator"
#: A fault that is told as what the key allows; a ValueError is told in its own words.
NOT_ALLOWED = PydanticCustomError("not_allowed", "not allowed")


def allowed(what: str) -> dict[str, Any]:
    """Say in words what a field allows, where its type does not say it."""
    return {"allowed": what}


def _producer(value: object) -> Path | Literal["simulator"]:
    if value == SIMULATOR:
        return SIMULATOR
    path = Path(value) if isinstance(value, str | Path) else Path()
    if path.is_absolute() and path.suffix == ".cti":
        return path
    raise NOT_ALLOWED


def unique(what: str, names: list[str]) -> None:
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"{what} {name} is there {count} times; once is allowed")


Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.-]+$",
        max_length=64,
        json_schema_extra=allowed("1 to 64 of the characters A-Z a-z 0-9 _ . -"),
    ),
]
Producer = Annotated[Path | Literal["simulator"], PlainValidator(_producer)]


class Table(BaseModel):
    """A table of the settings file: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        if (
            isinstance(value, bool)
            and cls.model_fields[str(info.field_name)].annotation is not bool
        ):
            raise NOT_ALLOWED
        return value


class CameraSettings(Table):
    """A camera of the station."""

    name: Name = Field(default="cam1", description="Name of the camera, unique in its station.")
    producer: Producer = Field(
        description="GenTL producer of the camera's vendor, or the simulator of effad.",
        json_schema_extra=allowed('an absolute path that ends with .cti, or "simulator"'),
    )
    serial: str = Field(
        default="",
        max_length=256,
        description="Serial number of the camera; empty: the only camera that there is.",
        json_schema_extra=allowed("text in quotes, up to 256 characters"),
    )
    trigger: TriggerSource = Field(
        default=TriggerSource.FREE_RUN,
        description="What makes the camera take a frame.",
    )
    slots: int = Field(
        default=8,
        ge=2,
        le=256,
        description="Frames of this camera in shared memory: the depth of its queue.",
    )
    overflow: Literal["drop_newest", "drop_oldest"] = Field(
        default="drop_newest",
        description="What is lost, with NO_VERDICT(overrun), when all slots are in use: the frame"
        " that finds none, or the oldest that still waits for inspection.",
    )
    buffers: int = Field(
        default=8, ge=3, le=256, description="Buffers of the camera's driver, in frames."
    )
    counter_poll_ms: int = Field(
        default=100,
        ge=10,
        le=10_000,
        description="How often the camera's trigger counter is asked while no frame comes,"
        " in milliseconds.",
    )
    lost_after_ms: int = Field(
        default=2000,
        ge=100,
        le=600_000,
        description="Silence after which the camera is asked whether it lives, in milliseconds.",
    )
    transfer_ms: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="Least time from a frame's exposure to its reception, in milliseconds; for"
        " cameras whose clock cannot be read beside the host's (no TimestampLatch).",
    )
    output_line: str = Field(
        default="",
        max_length=64,
        description="Line of the camera (LineSelector) that is high for a moment when a good part"
        " is at the gate, and low at all other times; empty: none.",
        json_schema_extra=allowed('text in quotes, up to 64 characters, such as "Line1"'),
    )
    output_user: str = Field(
        default="UserOutput0",
        min_length=1,
        max_length=64,
        description="What drives that line in the camera (LineSource and UserOutputSelector).",
        json_schema_extra=allowed("text in quotes, 1 to 64 characters"),
    )
    output_pulse_ms: float = Field(
        default=20.0,
        ge=1,
        le=10_000,
        description="How long the line is high for a good part, in milliseconds.",
    )
    output_delay_ms: float = Field(
        default=0.0,
        ge=0,
        le=600_000,
        description="Time from exposure to the gate, in milliseconds, at least the recipe's"
        " deadline; 0: output_encoder_counts is set.",
    )
    output_encoder_counts: int = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="Way from exposure to the gate, in counts of the belt's encoder as the camera"
        " counts them up (EncoderValue); 0: output_delay_ms is set.",
    )
    restart_backoff_s: float = Field(
        default=1.0,
        ge=0,
        le=600,
        description="Wait before the camera's process is started again, in seconds.",
    )
    restarts: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Restarts of the camera's process before it is given up, per hour.",
    )

    @model_validator(mode="after")
    def _one_way_to_the_gate(self) -> Self:
        ways = [self.output_delay_ms > 0, self.output_encoder_counts > 0]
        if self.output_line and sum(ways) != 1:
            raise ValueError(
                f"output_line is {self.output_line!r}, and output_delay_ms and"
                f" output_encoder_counts are {'both' if all(ways) else 'not'} set;"
                " set one of the two to more than 0"
            )
        if not self.output_line and any(ways):
            raise ValueError("a way to the gate is set, but no output_line; set that too")
        return self


class StationSettings(Table):
    """A station: what is inspected at one trigger, by one recipe."""

    name: Name = Field(description="Name of the station, unique.")
    recipe: str = Field(
        pattern=r"^([^~].*)?$",
        max_length=4096,
        description="Folder of the recipe; a relative path starts at the settings file. Empty: the"
        " station has none, and every part is NO_VERDICT(no_recipe).",
        json_schema_extra=allowed("a path in quotes (~ is not replaced), or empty"),
    )
    group_by: Literal["counter", "window"] = Field(
        default="counter",
        description="What makes frames of several cameras views of one part: their trigger"
        " counters (or FrameIDs), which one trigger for all makes go together, or the time of their"
        " exposures alone.",
    )
    group_window_ms: float = Field(
        default=50,
        ge=0.1,
        le=60_000,
        description="How far the exposures of one part's views lie apart at most, in milliseconds.",
    )
    cameras: tuple[CameraSettings, ...] = Field(
        min_length=1,
        description="The station's cameras.",
        json_schema_extra=allowed("one or more tables [[stations.cameras]]"),
    )

    @field_validator("cameras")
    @classmethod
    def _names_differ(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        unique("camera", [camera.name for camera in cameras])
        if len({camera.trigger for camera in cameras}) > 1:
            raise ValueError("its cameras have different triggers; a station has one for all")
        return cameras
