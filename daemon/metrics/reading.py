"""What the metrics are made of: read from the running daemon at each scrape, and at no other time.

Names are the line's: stations, cameras, queues, sockets. What is not there at the moment, such as
the cameras of a job that was stopped, is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from daemon.messages import AlarmCode, Counts, State
from daemon.metrics.statistics import Tallied


@dataclass(frozen=True)
class StationReading:
    """Counts from the daemon's start, over its jobs."""

    tallied: Tallied
    counts: Counts  # the ledger's; must be read after the tally
    bypass: bool  # parts pass uninspected now

    @property
    def open(self) -> int:
        """Parts without a verdict. One that the ledger has counted and the tally not is open here.

        So ``triggers = verdicts + open`` holds as long as it does in the ledger, and no longer.
        """
        counts = self.counts
        settled = counts.passed + counts.failed + counts.no_verdict
        return counts.open + settled - sum(self.tallied.verdicts.values())


@dataclass(frozen=True)
class CameraReading:
    frames: int  # out of the driver, whole or not; may begin again with a job
    restarts: int  # of its process; as frames
    up: bool
    slots: int
    slots_free: int


@dataclass(frozen=True)
class QueueReading:
    depth: int
    capacity: int


@dataclass(frozen=True)
class JournalReading:
    """What is None is not known, and not exported."""

    size_bytes: int  # database and write-ahead log
    waiting: int | None  # verdicts that are not committed yet
    oldest_wait_s: float | None  # of those; 0 where there are none
    checkpoint_age_s: float | None  # since the write-ahead log was last brought home
    set_aside: int  # damaged journals, since the daemon's start


@dataclass(frozen=True)
class ArchiveReading:
    kept: int  # images, since the daemon's start
    lost: Mapping[str, int]  # by cause
    size_bytes: int
    budget_bytes: int


@dataclass(frozen=True)
class DriftReading:
    """What of a station's good parts is watched for drift, at a moment."""

    level: float  # -1 to 1: share of the limit at which it is told; below 0: the value fell
    over: bool


@dataclass(frozen=True)
class Reading:
    """The daemon at a moment. Keys of cameras are (station, camera)."""

    version: str  # of effad
    epoch: int  # ns of the daemon's start
    state: State
    invariant_violated: bool
    stations: Mapping[str, StationReading] = field(default_factory=dict)
    cameras: Mapping[tuple[str, str], CameraReading] = field(default_factory=dict)
    queues: Mapping[str, QueueReading] = field(default_factory=dict)
    journal: JournalReading | None = None
    archive: ArchiveReading | None = None
    subscribers: Mapping[str, int] = field(default_factory=dict)  # by socket
    requests: Mapping[str, int] = field(default_factory=dict)  # by what became of them
    alarms: Mapping[AlarmCode, int] = field(default_factory=dict)  # since the daemon's start
    drift: Mapping[tuple[str, str], DriftReading] = field(default_factory=dict)  # station, channel
    devices: tuple[str, ...] = ()  # that torch runs on, such as cuda:0; a CPU is not asked


class Source(Protocol):
    """The running daemon. Called from the metrics' thread, at any time of the daemon's life."""

    def reading(self) -> Reading:
        """Give what is there now; must neither wait for a stage nor raise."""
