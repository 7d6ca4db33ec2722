"""The daemon's life: sockets, recipes, engines, cameras; then run, and end as the streams end."""

import threading
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from daemon import log, notify
from daemon.camera.spawn import STOP_SECONDS
from daemon.camera.supervisor import CameraSupervisor, Restarts, Wanted
from daemon.cameras import camera_plan
from daemon.channel import Channel, Closed, Crew
from daemon.claims import StationPlan
from daemon.control import Answer, ControlServer, Peer
from daemon.inspectors import device_of, load_recipes, make_workers
from daemon.job import Job, JobPlan
from daemon.ledger import Ledger
from daemon.messages import Alarm, AlarmCode, Counts, Heartbeat, State, StateChange
from daemon.outcome import MapPlan, Origin
from daemon.publisher import Outgoing, Publisher
from daemon.requests import GetState, Reply, Request, SoftwareTrigger, StopJob
from daemon.settings import CameraSettings, Settings, StationSettings
from models.errors import InputError
from models.recipe import LoadedRecipe

_BIND_SECONDS = 10.0
_OUTGOING = 4096  # messages on their way to the publisher, who never waits for a subscriber
_TICK = 0.2  # seconds
#: That the job has to end in; with the rest within the 20 s that the service manager gives.
_JOB_SECONDS = 8.0


@dataclass(frozen=True)
class Ended:
    """How the daemon ended: by a wish, in order; what hung had to be killed."""

    hung: tuple[str, ...]


class Service:
    """One run of the daemon. ``run`` is the main thread's; ``stop`` may be called from anywhere."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._epoch = time.time_ns()
        self._stop = threading.Event()
        self._crew = Crew(self._stop.set)
        self._outgoing: Channel[Outgoing] = Channel(_OUTGOING)
        sockets = settings.sockets
        self._publisher = Publisher(
            sockets.results,
            sockets.maps,
            results_high_water=sockets.results_hwm,
            maps_high_water=sockets.maps_hwm,
        )
        self._control = ControlServer(sockets.control, self._answer)
        self._silence = threading.Event()  # the control socket's end
        self._state = State.PREOPERATIONAL
        self._job: Job | None = None
        self._log = log.get("effad")

    def stop(self) -> None:
        """Ask for an orderly end."""
        self._stop.set()

    def run(self) -> Ended:
        """Run until ``stop``, or the first failure, which is raised once all has been closed."""
        watched = False
        try:
            self._open_sockets()
            self._start_job()
            self._watch()
            watched = True
        finally:
            if not watched or self._crew.failed:
                self._change(State.ERROR, "failed; see the log")
            hung = self._end()
        self._crew.check()
        return Ended(hung)

    # Start.

    def _open_sockets(self) -> None:
        self._crew.start("publisher", self._run_publisher)
        bound = self._publisher.wait_bound(_BIND_SECONDS)
        self._crew.start("control", lambda: self._control.serve(self._silence))
        control = self._control.wait_bound(_BIND_SECONDS)
        self._log.info("sockets open", control=control, results=bound.results, maps=bound.maps)
        self._change(State.PREOPERATIONAL, "loading recipes")

    def _run_publisher(self) -> None:
        try:
            self._publisher.run(self._outgoing)
        finally:
            self._outgoing.abandon()  # nobody waits for a publisher that is gone

    def _start_job(self) -> None:
        recipes = load_recipes(self._settings)
        workers = make_workers(self._settings, recipes)
        self._change(State.INITIALIZED, "opening cameras")
        engines = {name: i.engine.fingerprint for name, i in workers[0].items()}
        job = Job(self._job_plan(recipes, engines), workers, self._publish, self._violated)
        for station in self._settings.stations:
            for camera in station.cameras:
                recipe = recipes[station.name]
                job.add(station.name, self._supervise(station, camera, recipe, job.ledger))
        self._job = job
        job.start(self._crew)
        self._crew.start("heartbeat", self._beat)
        for supervisor in job.cameras:
            while not supervisor.started.wait(_TICK) and not self._stop.is_set():
                notify.extend_timeout(_TICK + STOP_SECONDS)
        if not self._stop.is_set():
            self._change(State.CONTINUOUS_EXECUTION, "inspecting")
            notify.ready("inspecting")
            self._crew.start("job-end", self._when_job_ends)

    def _job_plan(self, recipes: dict[str, LoadedRecipe], engines: dict[str, str]) -> JobPlan:
        settings = self._settings
        budget = settings.ledger.commit_budget_ms
        return JobPlan(
            stations={
                station.name: StationPlan(
                    cameras=tuple(camera.name for camera in station.cameras),
                    source=station.cameras[0].trigger,
                    deadline_s=max(0, recipes[station.name].recipe.deadline_ms - budget) / 1000,
                )
                for station in settings.stations
            },
            recipes=recipes,
            open_limit=settings.ledger.open_limit,
            queue=sum(camera.slots for s in settings.stations for camera in s.cameras),
            maps=MapPlan(settings.sockets.publish_maps, settings.sockets.map_encoding),
            origin=Origin(self._epoch, f"job-{self._epoch}", version("effad"), engines),
        )

    def _supervise(
        self,
        station: StationSettings,
        camera: CameraSettings,
        recipe: LoadedRecipe,
        ledger: Ledger,
    ) -> CameraSupervisor:
        size = recipe.bundle.manifest.input
        on_cuda = device_of(self._settings.engine.device, recipe).startswith("cuda")
        plan = camera_plan(self._settings, camera)

        return CameraSupervisor(
            station.name,
            plan,
            Wanted(size.width, size.height, camera.slots, on_cuda),
            Restarts(camera.restart_backoff_s, camera.restarts),
            ledger,
            partial(self._alarm, station.name),
        )

    # Run.

    def _watch(self) -> None:
        """Tell the service manager that all is well, as long as no stage holds an item too long."""
        period = notify.watchdog_period()
        while not self._stop.wait(period):
            if self.healthy():
                notify.alive()

    def healthy(self) -> bool:
        """Say whether no stage holds an item for too long; an idle line is healthy."""
        holdings = self._job.holdings if self._job else []
        stalled = [h.name for h in holdings if h.seconds() > self._settings.health.stall_s]
        if stalled:
            self._log.error("stalled", stages=stalled)
        return not stalled

    def _beat(self) -> None:
        while not self._stop.wait(self._settings.sockets.heartbeat_s):
            self._heartbeat()

    def _heartbeat(self) -> None:
        counts = self._job.counts() if self._job else {}
        self._publish(
            Outgoing(
                Heartbeat(
                    epoch=self._epoch,
                    time_ns=time.time_ns(),
                    state=self._state,
                    seq=_last_seqs(counts),
                    counts=counts,
                )
            )
        )

    def _when_job_ends(self) -> None:
        if self._job is not None:
            self._job.ended.wait()
            if not self._stop.is_set():
                self._change(State.READY, "job stopped")

    def _answer(self, request: Request, peer: Peer) -> Answer:
        job = self._job
        if isinstance(request, GetState):
            counts = job.counts() if job else {}
            seq = _last_seqs(counts)
            return Answer(Reply(id=request.id, ok=True, state=self._state, seq=seq, counts=counts))
        if job is None or self._state is not State.CONTINUOUS_EXECUTION:
            raise InputError(f"state is {self._state}; {request.command} needs a running job")
        if isinstance(request, SoftwareTrigger):
            number = job.trigger(request.station, request.part)
            return Answer(Reply(id=request.id, ok=True, state=self._state, number=number))
        if isinstance(request, StopJob):
            job.stop()
        return Answer(Reply(id=request.id, ok=True, state=self._state))

    def _alarm(
        self,
        station: str,
        code: str,
        camera: str | None,
        text: str,
        since: int | None = None,
        until: int | None = None,
    ) -> None:
        self._publish(
            Outgoing(
                Alarm(
                    epoch=self._epoch,
                    time_ns=time.time_ns(),
                    code=AlarmCode(code),
                    station=station,
                    camera=camera,
                    text=text,
                    since_ns=since,
                    until_ns=until,
                )
            )
        )

    def _violated(self, station: str, text: str) -> None:
        """The account does not add up: nobody may trust this run any more."""
        self._log.error("invariant violated", station=station, text=text)
        self._alarm(station, "invariant", None, text)
        self._change(State.ERROR, f"station {station}: {text}")

    def _publish(self, outgoing: Outgoing) -> None:
        self._outgoing.put(outgoing)

    def _change(self, state: State, text: str) -> None:
        self._state = state
        self._log.info("state", state=state.value, text=text)
        notify.status(text)
        change = StateChange(epoch=self._epoch, time_ns=time.time_ns(), state=state, text=text)
        try:
            self._publish(Outgoing(change))
        except Closed:
            self._log.debug("nobody publishes this state any more", state=state.value)

    # End.

    def _end(self) -> tuple[str, ...]:
        """Stop the cameras and wait for the streams to end; kill what does not."""
        notify.stopping()
        self._stop.set()
        job = self._job
        if job is not None:
            job.stop()
            if not job.ended.wait(_JOB_SECONDS):
                self._log.error("the job does not end in time, cutting it short")
                job.kill()
                job.ended.wait(STOP_SECONDS)
            self._heartbeat()  # with the last seq, for who missed the last verdict
        self._silence.set()
        self._outgoing.done()
        hung = tuple(self._crew.join(STOP_SECONDS))
        if hung:
            self._log.error("threads hang", threads=hung)
        elif job is not None:
            job.close()
        return hung


def _last_seqs(counts: dict[str, Counts]) -> dict[str, int]:
    """Give each station's newest published seq: what is open has none yet."""
    return {name: count.triggers - count.open for name, count in counts.items()}
