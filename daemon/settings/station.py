"""The settings of a station and its cameras."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, field_validator
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
    overflow: Literal["drop_newest"] = Field(
        default="drop_newest",
        description="What is lost, with NO_VERDICT(overrun), when all slots are in use:"
        " the frame that finds none.",
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


class StationSettings(Table):
    """A station: what is inspected at one trigger, by one recipe."""

    name: Name = Field(description="Name of the station, unique.")
    recipe: Path = Field(
        description="Folder of the recipe; a relative path starts at the settings file.",
        json_schema_extra=allowed("a path"),
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
