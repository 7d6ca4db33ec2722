"""The running daemon as its metrics see it."""

from importlib.metadata import version
from typing import Protocol

from daemon.archive import Archive
from daemon.control.server import ControlServer
from daemon.herald import Herald
from daemon.inspection.drift import DriftWatch
from daemon.job import Job
from daemon.jobs import Jobs
from daemon.journal import Journal
from daemon.messages import Counts
from daemon.metrics.reading import (
    ArchiveReading,
    CameraReading,
    JournalReading,
    QueueReading,
    Reading,
    StationReading,
)
from daemon.metrics.statistics import Statistics
from daemon.sockets import Sockets


class Line(Protocol):
    """What of the daemon is read."""

    epoch: int
    herald: Herald
    statistics: Statistics
    journal: Journal
    archive: Archive
    drift: DriftWatch
    sockets: Sockets
    jobs: Jobs


class Readings:
    """Reads at each scrape, and holds nothing up."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def reading(self) -> Reading:
        line, job = self._line, self._line.jobs.current
        bypassed = job.ledger.bypassed() if job else ()
        # The tally is read before the ledger: what lies between the two is open.
        tallied = {name: tally.read() for name, tally in line.statistics.stations.items()}
        counts = line.jobs.counts()
        return Reading(
            version=version("effad"),
            epoch=line.epoch,
            state=line.herald.state,
            invariant_violated=line.herald.violated,
            stations={
                name: StationReading(tally, counts.get(name, Counts()), name in bypassed)
                for name, tally in tallied.items()
            },
            cameras=_cameras(job) if job else {},
            queues={"frames": QueueReading(len(job.frames), job.frames.capacity)} if job else {},
            journal=_journal(line.journal, job),
            archive=_archive(line.archive),
            subscribers=line.sockets.door.counts.connections,
            requests=_requests(line.sockets.control),
            alarms=dict(line.herald.alarms),
            drift=line.drift.readings(),
            devices=job.devices if job else (),
        )


def _cameras(job: Job) -> dict[tuple[str, str], CameraReading]:
    return {
        (station, camera.name): CameraReading(
            frames=camera.frames,
            restarts=camera.deaths,
            up=camera.up,
            slots=camera.slots,
            slots_free=camera.slots_free,
        )
        for station, cameras in job.stations.items()
        for camera in cameras
    }


def _journal(journal: Journal, job: Job | None) -> JournalReading:
    return JournalReading(
        size_bytes=journal.size(),
        waiting=job.ledger.waiting() if job else 0,
        oldest_wait_s=None,
        checkpoint_age_s=None,
        set_aside=0 if journal.set_aside is None else 1,
    )


def _archive(archive: Archive) -> ArchiveReading:
    counts = archive.counts()
    return ArchiveReading(
        kept=sum(counts.kept.values()),
        lost={str(cause): number for cause, number in counts.lost.items()},
        size_bytes=counts.used_bytes,
        budget_bytes=archive.budget_bytes,
    )


def _requests(control: ControlServer) -> dict[str, int]:
    return {name: int(number) for name, number in vars(control.counts).items()}
