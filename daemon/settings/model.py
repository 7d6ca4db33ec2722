"""What can be set, with defaults, units and ranges: the one source of help, example and guide."""

import ipaddress
import os
import re
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from daemon.messages import MapEncoding
from daemon.settings.images import ImageSettings
from daemon.settings.journal import JournalSettings
from daemon.settings.metrics import MetricsSettings
from daemon.settings.recipes import RecipesSettings
from daemon.settings.station import NOT_ALLOWED, SIMULATOR, StationSettings, Table, allowed, unique

_ENDPOINT = re.compile(r"tcp://(?P<host>[^\[\]:/\s]+):(?P<port>\d{1,5}|\*)|ipc://\S+")
Endpoint = Annotated[
    str,
    Field(
        json_schema_extra=allowed(
            "tcp://ADDRESS:PORT with an IPv4 address and a port of 0 to 65535 (0: any free one),"
            " or ipc://PATH"
        )
    ),
]


class SocketSettings(Table):
    """The ZeroMQ sockets that the line listens to."""

    keys: str = Field(
        default="",
        pattern=r"^([^~].*)?$",
        max_length=4096,
        description="Folder of keys, made with effad-keys; a relative path starts at the settings"
        " file. With keys only clients whose key is in the folder are let in, and what they say is"
        " encrypted. Empty: no keys.",
        json_schema_extra=allowed("a path in quotes (~ is not replaced), or empty"),
    )
    allow_remote: bool = Field(
        default=False,
        description="Without keys: let other computers connect all the same. Anybody who reaches a"
        " socket may then read everything and command the line.",
    )
    control: Endpoint = Field(
        default="tcp://127.0.0.1:5555",
        description="Where requests are answered (ROUTER).",
    )
    results: Endpoint = Field(
        default="tcp://127.0.0.1:5556",
        description="Where verdicts, states, heartbeats and alarms are published (XPUB).",
    )
    maps: Endpoint = Field(
        default="tcp://127.0.0.1:5557",
        description="Where anomaly maps are published (PUB).",
    )
    control_rate: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="Requests of one connection that are answered, per second; for a moment twice"
        " as many.",
    )
    results_hwm: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Results kept for a slow subscriber before it loses some, in messages.",
    )
    maps_hwm: int = Field(
        default=16,
        ge=1,
        le=10_000,
        description="Maps kept for a slow subscriber before it loses some, in messages.",
    )
    map_encoding: MapEncoding = Field(
        default=MapEncoding.RAW,
        description="How maps are sent: float16 as they are, or 8-bit grey PNG.",
    )
    publish_maps: Literal["all", "fail", "none"] = Field(
        default="all", description="Of which verdicts maps are sent."
    )
    heartbeat_s: float = Field(
        default=1.0, ge=0.1, le=60, description="Period of the heartbeat, in seconds."
    )

    @field_validator("control", "results", "maps")
    @classmethod
    def _bindable(cls, endpoint: str, info: ValidationInfo) -> str:
        found = _ENDPOINT.fullmatch(endpoint)
        if found is None or int((found["port"] or "0").replace("*", "0")) > 65535:
            raise NOT_ALLOWED
        taken = [key for key in ("control", "results") if info.data.get(key) == endpoint]
        if taken and found["port"] not in ("0", "*"):
            raise ValueError(f"sockets.{taken[0]} has the same; give each socket its own")
        remote = found["host"] is not None and not _is_loopback(found["host"])
        # A missing key is one that had its own fault, which is told first.
        if remote and info.data.get("keys") == "" and info.data.get("allow_remote") is False:
            raise ValueError(
                "other computers could connect, and there are no keys; make keys with effad-keys"
                " and set sockets.keys, or give a 127.0.0.1 address, or set sockets.allow_remote"
                " = true if anybody who reaches it may command the line"
            )
        return endpoint


class EngineSettings(Table):
    """Where frames are inspected. The precision comes from the calibration."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$",
        description="Device of the networks; auto: the one that was chosen at calibration.",
        json_schema_extra=allowed("auto, cpu, cuda, or cuda:N"),
    )
    workers: int = Field(
        default=1, ge=1, le=8, description="Frames inspected at the same time on each device."
    )
    threads: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0)) - 1),
        ge=1,
        le=1024,
        description="CPU threads of all workers together.",
        json_schema_extra={"default": "the cores less one, at least 1", "example": 4},
    )


class LedgerSettings(Table):
    """The claim desk, where every trigger gets exactly one verdict."""

    commit_budget_ms: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="NO_VERDICT(late) is published this long before the deadline, and verdicts of a"
        " fast line that settle within are committed together, in milliseconds.",
    )
    open_limit: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Triggers that may wait for their verdict at the same time.",
    )
    announced_s: float = Field(
        default=5.0,
        ge=0.01,
        le=3600,
        description="How long an announced part's trigger may take to come before the part is"
        " NO_VERDICT(frame_lost), in seconds.",
    )
    no_recipe_deadline_ms: int = Field(
        default=2000,
        ge=1,
        le=600_000,
        description="Deadline of a station without a recipe, whose parts are all NO_VERDICT, in"
        " milliseconds.",
    )


class LogSettings(Table):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="JSON lines, or text for people; auto: text at a terminal, else JSON.",
    )


class HealthSettings(Table):
    """When the daemon itself counts as ill."""

    stall_s: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        description="How long a stage may hold an item before the service manager is no longer"
        " told that all is well, and restarts effad, in seconds.",
    )


class Settings(BaseSettings):
    """All settings of a daemon. ``daemon.settings.load`` layers file, environment, command line."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        env_prefix="EFFAD_",
        env_nested_delimiter="__",
    )

    stations: tuple[StationSettings, ...] = Field(
        min_length=1,
        description="The stations of the line.",
        json_schema_extra=allowed("one or more tables [[stations]]"),
    )
    sockets: SocketSettings = SocketSettings()
    engine: EngineSettings = Field(default_factory=EngineSettings)
    ledger: LedgerSettings = LedgerSettings()
    recipes: RecipesSettings = RecipesSettings()
    journal: JournalSettings = JournalSettings()
    images: ImageSettings = ImageSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    health: HealthSettings = HealthSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and nothing else: layering is ``load``'s, which can name the layer."""
        return (init_settings,)

    @field_validator("stations")
    @classmethod
    def _names_differ(cls, stations: tuple[StationSettings, ...]) -> tuple[StationSettings, ...]:
        unique("station", [station.name for station in stations])
        return stations

    @model_validator(mode="after")
    def _one_process_a_camera(self) -> Self:
        cameras = [
            f"producer {camera.producer}, serial {camera.serial!r}"
            for station in self.stations
            for camera in station.cameras
            if camera.producer != SIMULATOR
        ]
        unique("camera", cameras)
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "lo")
