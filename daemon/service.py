"""The daemon's life: journal, sockets, recipes, engines, cameras; then run, and end as the streams
end.
"""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from daemon import log, notify
from daemon.archive import Archive, plan_of
from daemon.assembly import cameras_of, state_folder
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
from daemon.interpreter import steady
from daemon.job import Services
from daemon.jobs import Jobs
from daemon.journal import JournalError
from daemon.ledger import unbalanced
from daemon.messages import Alarm, AlarmCode, State, Verdict
from daemon.metrics.statistics import Statistics
from daemon.parts import Settled
from daemon.publisher import Outgoing
from daemon.readings import Readings
from daemon.settings import Settings
from daemon.sockets import Sockets
from daemon.uncounted import Interval, Uncounted

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
        self.crew = Crew(self.stop)
        self._outgoing: Channel[Outgoing] = Channel(_OUTGOING)
        self._silence = threading.Event()  # the end of what is not a stream
        self.statistics = Statistics(cameras_of(settings))
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
            for station, judging in make_judgings(self.settings, loaded).items():
                self.jobs.judge_by(station, judging)
            steady()
            self._begin_job(first=True)
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
        to = Services(
            journal=self.journal,
            statistics=self.statistics,
            publish=self._outgoing.put,
            keep=self._keep,
            violated=self.herald.violate,
        )
        self.jobs = Jobs(settings, self._state, self.herald, to, self._wake.set)
        self._chosen = Chosen(self._state.folder)
        self.changeovers = Changeovers(self, self._chosen)
        folder = self._state.folder / settings.images.folder
        self.archive = Archive(folder, plan_of(settings.images), self._images_lost)
        self.drift = DriftWatch(self._state.folder, self._state.last, self._drifting)
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
            if station not in self._state.last and left.open:
                text = f"{len(left.open)} parts were open, and the settings have no such station"
                self.herald.alarm(AlarmCode.JOURNAL, text, station=station)
        if not self._state.first and self._state.orderly:
            self._uncounted.begin(Interval(self._state.alive_ns, "effad was stopped"))
        for where in self._state.unheard:
            why = "effad ended before it had heard the camera"
            self._uncounted.begin(Interval(self._state.alive_ns, why, *where))

    def _begin_job(self, *, first: bool = False) -> None:
        self.herald.change(State.INITIALIZED, "opening cameras")
        job = self.jobs.begin(self.crew)
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

    # Run.

    def _watch(self) -> None:
        """Tell the service manager that all is well, as long as no stage holds an item too long;
        end and begin jobs as wished.
        """
        period = notify.watchdog_period()
        while not self._stop.is_set():
            self._wake.wait(period)
            self._wake.clear()
            if not self._stop.is_set():
                self._tend_jobs()
            if stalled := self.jobs.stalled():
                self._log.error("stalled", stages=stalled)
            else:
                notify.alive()

    def _tend_jobs(self) -> None:
        job = self.jobs.current
        if job is not None and job.ended.is_set():
            since_ns = self.jobs.finish()
            self._uncounted.begin(Interval(since_ns, "no job was running"))
            if not self.crew.failed:
                self.herald.change(State.READY, "job stopped")
        elif self.jobs.starting:
            self._begin_job()

    def _beat(self) -> None:
        while not self._stop.wait(self.settings.sockets.heartbeat_s):
            self._heartbeat()
            self._remind()
            self.collector.tend()

    def _heartbeat(self) -> None:
        counts, seqs = self.jobs.counts(), self.jobs.seqs()
        if not self.herald.violated:
            for station, how in unbalanced(counts).items():
                self.herald.violate(station, how)
        self.herald.heartbeat(seqs, counts)

    def _remind(self) -> None:
        """Repeat that parts pass uninspected."""
        job = self.jobs.current
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
        job = self.jobs.current
        if job is not None and job.unheard_ns:
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
        job = self.jobs.current
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
