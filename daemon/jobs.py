"""The jobs of a run, one after the other, and what judges their parts."""

import threading
import time
from collections.abc import Callable, Mapping

from daemon.assembly import job_plan, station_plan, supervise
from daemon.channel import Crew
from daemon.continuity import Continuity
from daemon.herald import Herald
from daemon.inspection.judging import Judging
from daemon.job import Before, Job, Services
from daemon.messages import Counts
from daemon.settings import Settings
from models.errors import InputError


class Jobs:
    """There is one job or none. The main thread begins and ends jobs; all others ask."""

    def __init__(
        self,
        settings: Settings,
        state: Continuity,
        herald: Herald,
        services: Services,
        wake: Callable[[], None],
    ) -> None:
        """``wake`` is called when a job is wished for, or has ended."""
        self._settings = settings
        self._state = state
        self._herald = herald
        self._services = services
        self._wake = wake
        self.current: Job | None = None
        self._begun = 0
        self._wished = False
        self._judgings: dict[str, Judging] = {}  # of the parts to come
        self._judging = threading.Lock()  # a job takes them over whole
        self._seqs: Mapping[str, int] = dict(state.last)
        self._counts = {name: Counts() for name in self._seqs}

    # Of the main thread.

    def begin(self, crew: Crew) -> Job:
        """Begin a job; its cameras are not opened yet."""
        first = self._begun == 0
        self._begun += 1
        with self._judging:
            self.current = job = self._job(first)
        self._wished = False
        job.start(crew)
        return job

    def finish(self) -> int:
        """Close the job that has ended; give since when (Unix epoch, ns) nothing is counted."""
        job = self.current
        if job is None:
            raise RuntimeError("there is no job to finish")
        self._seqs, self._counts = job.ledger.newest(), job.ledger.counts()
        since_ns = min([time.time_ns(), *job.unheard_ns])
        self.current = None
        job.close()
        return since_ns

    def _job(self, first: bool) -> Job:
        settings = self._settings
        before = Before(
            last=self._seqs,
            left=self._state.left if first and not self._state.orderly else {},
            carried=self._counts,
            claims=self._state.claims,
        )
        plan = job_plan(settings, self._judgings, self._herald.epoch, self._begun)
        job = Job(plan, before, self._services, self._wake)
        for station in settings.stations:
            judging = self._judgings.get(station.name)
            for camera in station.cameras:
                known = self._state.before(station.name, camera.name) if first else None
                job.add(
                    station.name,
                    supervise(settings, station, camera, judging, job.ledger, self._herald, known),
                )
        return job

    # Of any thread.

    @property
    def starting(self) -> bool:
        """Whether a job is wished for that is not there yet: no camera may be looked at."""
        return self._wished and self.current is None

    def wish(self) -> None:
        """Wish for a job; raises ``InputError`` if there is one, or one is wished for already."""
        state = self._herald.state
        if self.current is not None:
            raise InputError(f"state is {state}: a job is there already; StopJob first")
        if self._wished:
            raise InputError(f"state is {state}: a job is about to start; wait for it")
        self._wished = True
        self._wake()

    def stop(self) -> None:
        """Stop the job; the state becomes Ready when every trigger has its verdict."""
        if self.current is not None:
            self.current.stop()

    def judgings(self) -> Mapping[str, Judging]:
        """Give what judges each station's parts to come; a station without a recipe has none."""
        with self._judging:
            return dict(self._judgings)

    def judge_by(self, station: str, judging: Judging) -> int | None:
        """Judge a station's parts so from the next one on; give its seq, None without a job."""
        (its,) = (s for s in self._settings.stations if s.name == station)
        with self._judging:
            self._judgings[station] = judging
            if self.current is None:
                return None
            return self.current.switch(station, station_plan(self._settings, its, judging))

    def seqs(self) -> Mapping[str, int]:
        """Give each station's newest published seq."""
        job = self.current
        return job.ledger.newest() if job else self._seqs

    def counts(self) -> Mapping[str, Counts]:
        """Give each station's account in this epoch."""
        job = self.current
        return job.ledger.counts() if job else self._counts

    def stalled(self) -> list[str]:
        """Name the stages that hold an item for too long; an idle line has none."""
        holdings = self.current.holdings if self.current else []
        return [h.name for h in holdings if h.seconds() > self._settings.health.stall_s]
