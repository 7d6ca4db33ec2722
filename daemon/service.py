"""The daemon's life: journal, sockets, recipes, engines, cameras; then run, and end as the streams
end.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from daemon import log, notify
from daemon.archive import Archive, plan_of
from daemon.assembly import cameras_of, job_plan, state_folder, station_plan, supervise
from daemon.camera.spawn import STOP_SECONDS
from daemon.changeover.changeovers import Changeovers
from daemon.changeover.chosen import Chosen
from daemon.channel import Channel, Crew
from daemon.continuity import Continuity
from daemon.control.commands import Commands
from daemon.herald import Herald
from daemon.inspection.collector import Collector
from daemon.inspection.drift import DriftWatch
from daemon.inspection.inspectors import load_recipes, make_judgings
from daemon.inspection.judging import Judging
from daemon.job import Before, Job, Services
from daemon.journal import JournalError
from daemon.ledger import unbalanced
from daemon.messages import Alarm, AlarmCode, Counts, State, Verdict
from daemon.metrics.statistics import Statistics
from daemon.parts import Settled
from daemon.publisher import Outgoing
from daemon.readings import Readings
from daemon.settings import Settings
from daemon.sockets import Sockets
from daemon.uncounted import Interval, Uncounted
from models.errors import InputError

_OUTGOING = 4096  # messages on their way to the publisher, who never waits for a subscriber
_TICK = 0.2  # seconds
#: That the job has to end in; with the rest within the 20 s that the service manager gives.
_JOB_SECONDS = 8.0
_REMIND_SECONDS = 10.0  # between two alarms of a bypass
_NOT_AWAITED = {"changeover", "shadow"}  # threads whose work nobody misses


@dataclass(frozen=True)
class Ended:
    """How the daemon ended: by a wish, in order; what hung had to be killed."""

    hung: tuple[str, ...]
    left: tuple[str, ...] = ()  # threads that are still at work which nobody waits for


class Service:
    """One run of the daemon. ``run`` is the main thread's; ``stop`` may be called from anywhere."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.epoch = time.time_ns()
        self._stop = threading.Event()
        self._wake = threading.Event()  # something is wished, or has ended
        self._start_wished = False
        self.crew = Crew(self.stop)
        self._outgoing: Channel[Outgoing] = Channel(_OUTGOING)
        self._silence = threading.Event()  # the end of what is not a stream
        self.statistics = Statistics(cameras_of(settings))
        self.job: Job | None = None
        self._judgings: dict[str, Judging] = {}  # of the parts to come
        self._judging = threading.Lock()  # a job takes them over whole
        self._jobs = 0
        self._closing = ExitStack()  # what is closed once no thread uses it any more
        self._reminded = 0.0
        self._log = log.get("effad")
        self.herald = Herald(self.epoch, self._outgoing.put, self._keep_alarm)
        self._uncounted = Uncounted(self.herald)
        self.collector = Collector(self._collecting)

    def stop(self) -> None:
        """Ask for an orderly end."""
        self._stop.set()
        self._wake.set()

    def run(self) -> Ended:
        """Run until ``stop``, or the first failure, which is raised once all has been closed."""
        self._open_state()
        watched = False
        try:
            self._open_sockets()
            loaded = load_recipes(self.settings, self._chosen)
            self._judgings = make_judgings(self.settings, loaded)
            self._begin_job()
            self.changeovers.start(self.crew)
            notify.ready("inspecting")
            self._watch()
            watched = True
        finally:
            failed = not watched or self.crew.failed
            if failed:
                self.herald.change(State.ERROR, "failed; see the log")
            ended = self._end(in_order=not failed)
        self.crew.check()
        return ended

    # Start.

    def _open_state(self) -> None:
        settings = self.settings
        self._state = Continuity(
            state_folder(settings),
            settings.journal,
            cameras_of(settings),
            open_limit=settings.ledger.open_limit,
            epoch=self.epoch,
            code=version("effad"),
            on_set_aside=self._set_aside,
        )
        self._closing.callback(self._state.close)
        self.journal, self.reader = self._state.journal, self._state.reader
        self._seqs: Mapping[str, int] = dict(self._state.last)
        self._counts = {name: Counts() for name in self._seqs}
        self._chosen = Chosen(self._state.folder)
        self.changeovers = Changeovers(self, self._chosen)
        folder = self._state.folder / settings.images.folder
        self.archive = Archive(folder, plan_of(settings.images), self._images_lost)
        self.drift = DriftWatch(self._state.folder, self._seqs, self._drifting)
        self._closing.callback(self.drift.close)

    def _open_sockets(self) -> None:
        self.sockets = Sockets(self.settings, Commands(self))
        self._closing.callback(self.sockets.close)
        self.sockets.open(self.crew, self._outgoing, self._silence, Readings(self))
        self.crew.start("journal", lambda: self._state.keeper.run(self._silence))
        self.archive.start(self.crew)
        self.herald.change(State.PREOPERATIONAL, "loading recipes")
        self._tell_of_before()

    def _tell_of_before(self) -> None:
        if self.journal.set_aside is not None:
            self._set_aside(self.journal.set_aside, self.journal.set_aside_why)
        for station, seq in self._state.lost.items():
            text = f"verdicts up to {seq} were published, and are not in this journal"
            self.herald.alarm(AlarmCode.JOURNAL, text, station=station)
        for station, left in self._state.left.items():
            if station not in self._seqs and left.open:
                text = f"{len(left.open)} parts were open, and the settings have no such station"
                self.herald.alarm(AlarmCode.JOURNAL, text, station=station)
        if not self._state.first and self._state.orderly:
            self._uncounted.begin(Interval(self._state.alive_ns, "effad was stopped"))
        for where in self._state.unheard:
            why = "effad ended before it had heard the camera"
            self._uncounted.begin(Interval(self._state.alive_ns, why, *where))

    def _begin_job(self) -> None:
        self.herald.change(State.INITIALIZED, "opening cameras")
        first = self._jobs == 0
        self._jobs += 1
        with self._judging:
            self.job = job = self._job(first)
        job.start(self.crew)
        if first:
            self.crew.start("heartbeat", self._beat)
        for supervisor in job.cameras:
            while not supervisor.started.wait(_TICK) and not self._stop.is_set():
                notify.extend_timeout(_TICK + STOP_SECONDS)
                notify.alive()
        if not self._stop.is_set():
            self._uncounted.end()
            if first:
                self.crew.start("alive", lambda: self._state.stay_alive(self._silence))
            self.herald.change(State.CONTINUOUS_EXECUTION, "inspecting")

    def _job(self, first: bool) -> Job:
        plan = job_plan(self.settings, self._judgings, self.epoch, self._jobs)
        killed = first and not self._state.orderly
        before = Before(
            last=self._seqs,
            left=self._state.left if killed else {},
            carried=self._counts,
            claims=self._state.claims,
        )
        to = Services(
            journal=self.journal,
            statistics=self.statistics,
            publish=self._outgoing.put,
            keep=self._keep,
            violated=self.herald.violate,
        )
        job = Job(plan, before, to, self._wake.set)
        for station in self.settings.stations:
            for camera in station.cameras:
                judging = self._judgings.get(station.name)
                known = self._state.before(station.name, camera.name) if first else None
                job.add(
                    station.name,
                    supervise(
                        self.settings, station, camera, judging, job.ledger, self.herald, known
                    ),
                )
        return job

    # Run.

    def _watch(self) -> None:
        """Tell the service manager that all is well, as long as no stage holds an item too long;
        end and begin jobs as wished.
        """
        period = notify.watchdog_period()
        while not self._stop.is_set():
            self._wake.wait(period)
            self._wake.clear()
            job = self.job
            if job is not None and job.ended.is_set() and not self._stop.is_set():
                self._finish_job(job)
            elif job is None and self._start_wished and not self._stop.is_set():
                self._begin_job()
                self._start_wished = False  # only now: no camera may be looked at meanwhile
            if self.healthy():
                notify.alive()

    def _finish_job(self, job: Job) -> None:
        self._seqs, self._counts = job.ledger.newest(), job.ledger.counts()
        since_ns = min([time.time_ns(), *job.unheard_ns])
        self._uncounted.begin(Interval(since_ns, "no job was running"))
        self.job = None
        job.close()
        if not self.crew.failed:
            self.herald.change(State.READY, "job stopped")

    @property
    def starting(self) -> bool:
        """Whether a job is wished that is not there yet."""
        return self._start_wished and self.job is None

    def start_job(self) -> None:
        """Wish for a job; raises ``InputError`` if there is one."""
        if self.job is not None:
            raise InputError(f"state is {self.herald.state}: a job is there already; StopJob first")
        if self.changeovers.busy:
            raise InputError("a recipe is being activated; wait for its reply, then StartJob")
        self._start_wished = True
        self._wake.set()

    def stop_job(self) -> None:
        """Stop the job; the state becomes Ready when every trigger has its verdict."""
        if self.job is not None:
            self.job.stop()

    def judgings(self) -> Mapping[str, Judging]:
        """Give what judges each station's parts to come; a station without a recipe has none."""
        with self._judging:
            return dict(self._judgings)

    def judge_by(self, station: str, judging: Judging) -> int | None:
        """Judge a station's parts so from the next one on; give its seq, None without a job."""
        (its,) = (s for s in self.settings.stations if s.name == station)
        with self._judging:
            self._judgings[station] = judging
            if self.job is None:
                return None
            return self.job.switch(station, station_plan(self.settings, its, judging))

    def seqs(self) -> Mapping[str, int]:
        """Give each station's newest published seq."""
        job = self.job
        return job.ledger.newest() if job else self._seqs

    def counts(self) -> Mapping[str, Counts]:
        """Give each station's account in this epoch."""
        job = self.job
        return job.ledger.counts() if job else self._counts

    def healthy(self) -> bool:
        """Say whether no stage holds an item for too long; an idle line is healthy."""
        holdings = self.job.holdings if self.job else []
        stalled = [h.name for h in holdings if h.seconds() > self.settings.health.stall_s]
        if stalled:
            self._log.error("stalled", stages=stalled)
        return not stalled

    def _beat(self) -> None:
        while not self._stop.wait(self.settings.sockets.heartbeat_s):
            self._heartbeat()
            self._remind()
            self.collector.tend()

    def _heartbeat(self) -> None:
        counts, seqs = self.counts(), self.seqs()
        if not self.herald.violated:
            for station, how in unbalanced(counts).items():
                self.herald.violate(station, how)
        self.herald.heartbeat(seqs, counts)

    def _remind(self) -> None:
        """Repeat that parts pass uninspected."""
        job = self.job
        if job is None or time.monotonic() < self._reminded + _REMIND_SECONDS:
            return
        self._reminded = time.monotonic()
        for station in job.ledger.bypassed():
            self.herald.alarm(AlarmCode.BYPASS, "parts pass uninspected", station=station)

    def _keep(self, part: Settled, verdict: Verdict, header: bytes) -> None:
        """Hand on what was seen of a part: to the images, a calibration, a recipe that looks on."""
        self.archive.keep(part, verdict, header)
        self.collector.offer(part, verdict)
        self.drift.see(part, verdict)
        self.changeovers.offer(part, verdict)

    def _collecting(self, code: AlarmCode, station: str, text: str) -> None:
        self._log.info("collecting", what=code.value, station=station, text=text)
        self.herald.alarm(code, text, station=station)

    def _drifting(self, code: AlarmCode, station: str, text: str) -> None:
        self._log.warning("drift", what=code.value, station=station, text=text)
        self.herald.alarm(code, text, station=station)

    def _keep_alarm(self, alarm: Alarm) -> None:
        try:
            self.journal.alarm(alarm)
        except JournalError as error:
            self._log.error("alarm not journaled", why=str(error))

    def _set_aside(self, aside: Path, why: str) -> None:
        self.herald.alarm(AlarmCode.JOURNAL, f"a damaged journal was set aside as {aside}: {why}")

    def _images_lost(self, text: str) -> None:
        self.herald.alarm(AlarmCode.ARCHIVE, text)

    # End.

    def _record_end(self) -> None:
        """Record that every trigger has its verdict, if so; else the next run goes on from here."""
        if self.job is not None and self.job.unheard_ns:
            self._log.warning("stopped before all cameras were heard: the next start accounts")
            return
        self._uncounted.end()
        try:
            self._state.ended()
        except JournalError as error:
            self._log.error("the end is not journaled", why=str(error))

    def _end(self, *, in_order: bool) -> Ended:
        """Stop the cameras and wait for the streams to end; kill what does not."""
        notify.stopping()
        self.stop()
        self.changeovers.close()
        job = self.job
        if job is not None:
            job.stop()
            if not job.ended.wait(_JOB_SECONDS):
                self._log.error("the job does not end in time, cutting it short")
                job.kill()
                job.ended.wait(STOP_SECONDS)
            self._heartbeat()  # with the last seq, for who missed the last verdict
        if in_order and not self.crew.failed:
            self._record_end()
        self.archive.done()
        self._silence.set()
        self._outgoing.done()
        running = self.crew.join(STOP_SECONDS)
        hung = tuple(name for name in running if name not in _NOT_AWAITED)
        if hung:
            self._log.error("threads hang", threads=hung)
        if running:
            return Ended(hung, tuple(running))
        if job is not None:
            job.close()
        self._closing.close()
        return Ended(())
