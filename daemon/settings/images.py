"""The settings of the images that are kept."""

from typing import Literal

from pydantic import Field

from daemon.settings.station import Table, allowed


class ImageSettings(Table):
    """The images that are kept, each with its anomaly map and its verdict."""

    folder: str = Field(
        default="images",
        pattern=r"^[^~].*$",
        max_length=4096,
        description="Where they are kept, by day and recipe; a relative path starts at the state"
        " folder.",
        json_schema_extra=allowed("a path in quotes (~ is not replaced)"),
    )
    keep: Literal["fail", "all", "none"] = Field(
        default="fail",
        description="Of which parts; fail: of those that did not pass, and a sample of the others.",
    )
    good_sample: int = Field(
        default=100,
        ge=0,
        le=1_000_000,
        description="With keep fail: of so many good parts the images of one are kept; 0: of none.",
    )
    queue_mb: int = Field(
        default=256,
        ge=16,
        le=65_536,
        description="Memory for images that wait to be written, in MB; what finds none is lost.",
    )
    budget_mb: int = Field(
        default=20_000,
        ge=10,
        le=100_000_000,
        description="Disk space of all images together, in MB; the oldest are deleted.",
    )
    leave_free_mb: int = Field(
        default=5_000,
        ge=0,
        le=100_000_000,
        description="Space of the file system that is left free, whatever the budget, in MB.",
    )
