"""The settings of the journal."""

from typing import Literal

from pydantic import Field

from daemon.settings.station import Table, allowed


class JournalSettings(Table):
    """Where verdicts are kept, and what is open at the moment."""

    folder: str = Field(
        default="",
        pattern=r"^([^~].*)?$",
        max_length=4096,
        description="Folder of the journal and of open claims; a relative path starts at the"
        " settings file. Empty: the service's state folder, or else ~/.local/state/effad.",
        json_schema_extra=allowed("a path in quotes (~ is not replaced), or empty"),
    )
    durability: Literal["process", "power"] = Field(
        default="process",
        description="What a verdict survives once it was published: the death of the process, or a"
        " power cut as well, at the cost of a disk's flush before each verdict.",
    )
    keep_days: float = Field(
        default=90, ge=0.01, le=36_500, description="How long verdicts are kept, in days."
    )
    keep_mb: int = Field(
        default=5000,
        ge=10,
        le=10_000_000,
        description="Most that the journal takes on disk before the oldest verdicts go, in MB.",
    )
