"""What is offered to the archive, what it takes of that, and what it says of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from daemon.messages import Kind, Verdict
from daemon.settings.images import ImageSettings
from models.calibration import AnomalyMap
from models.pixel_format import PixelFormat

#: What an image takes in memory beside its pixels and its map, roughly: mostly its verdict.
OVERHEAD = 16 << 10  # bytes


class Loss(StrEnum):
    """Why an image was not kept that should have been."""

    QUEUE_FULL = "queue_full"  # the disk is slower than the images come
    NO_SPACE = "no_space"  # nothing more may be deleted, and the rest is to be left free
    WRITE_ERROR = "write_error"  # the system would not write it
    NO_MEMORY = "no_memory"
    SHUTDOWN = "shutdown"  # not written when the time for it was over


@dataclass(frozen=True)
class ArchivePlan:
    """Which images are kept, and within what limits."""

    keep: Literal["fail", "all", "none"] = "fail"
    good_sample: int = 100  # with "fail": of so many good parts one; 0: none
    queue_bytes: int = 256 << 20
    budget_bytes: int = 20_000 << 20
    leave_free_bytes: int = 5_000 << 20
    drain_s: float = 5.0  # that images may still be written after the end


def plan_of(settings: ImageSettings) -> ArchivePlan:
    return ArchivePlan(
        keep=settings.keep,
        good_sample=settings.good_sample,
        queue_bytes=settings.queue_mb * 1_000_000,
        budget_bytes=settings.budget_mb * 1_000_000,
        leave_free_bytes=settings.leave_free_mb * 1_000_000,
    )


@dataclass(frozen=True, eq=False)
class Kept:
    """A view's image in its slot, with what was said of it."""

    verdict: Verdict  # of the part
    header: bytes  # the verdict's JSON as published
    camera: str
    pixels: NDArray[np.uint8] | NDArray[np.uint16]  # as its format says; dead after ``release``
    pixel_format: PixelFormat
    anomaly: AnomalyMap | None  # None if the model failed
    release: Callable[[], None]  # frees the slot; the archive calls it exactly once

    @property
    def good(self) -> bool:
        return self.verdict.verdict is Kind.PASS

    @property
    def memory(self) -> int:
        """Bytes that it takes while it waits."""
        cells = 0 if self.anomaly is None else self.anomaly.values.numel()
        return self.pixels.nbytes + 4 * cells + OVERHEAD


@dataclass(frozen=True)
class ArchiveCounts:
    """What the archive has done since the start, and how it stands."""

    kept: Mapping[Kind, int]  # images written, by the part's verdict
    lost: Mapping[Loss, int]
    images: int  # on disk
    used_bytes: int  # of the disk
    queued: int  # images that wait
    queued_bytes: int  # of memory
