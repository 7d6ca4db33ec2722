"""A job: from the cameras of all stations to their verdicts, as one stream.

``stop`` stops the cameras; the end of their streams runs through every stage behind them.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from daemon.camera.supervisor import CameraSupervisor
from daemon.channel import Channel, Crew, Holding, Last
from daemon.claims import Claim, StationPlan
from daemon.frames import Frame
from daemon.inspection.infer import infer
from daemon.inspection.latest import Latest
from daemon.inspection.outcome import MapPlan, Origin
from daemon.inspection.outlet import Outlet, Outlets, Verdicts
from daemon.ledger import ClaimFile, Ledger, Left
from daemon.messages import Counts, Kind, Part, Reason, TriggerSource, Verdict
from daemon.metrics.statistics import Statistics
from daemon.parts import Inspected, Settled, Unseen
from daemon.publisher import Outgoing
from models.errors import InputError

_LAST_WORDS = 2.0  # seconds


@dataclass(frozen=True)
class JobPlan:
    stations: Mapping[str, StationPlan]
    workers: int  # as many as each judging has inspectors
    open_limit: int
    pace_s: float  # between two commits, at least
    queue: int  # frames, as many as all cameras have slots
    maps: MapPlan
    origin: Origin


@dataclass(frozen=True)
class Before:
    """What a job goes on from."""

    last: Mapping[str, int]  # newest committed seq of each station
    left: Mapping[str, Left]  # open when the process before was killed
    carried: Mapping[str, Counts]  # account of this process's jobs so far
    claims: ClaimFile


@dataclass(frozen=True)
class Services:
    """What outlives a job."""

    journal: Verdicts
    statistics: Statistics
    publish: Callable[[Outgoing], None]
    keep: Callable[[Settled, Verdict, bytes], None]
    violated: Callable[[str, str], None]  # station, text


class Job:
    def __init__(
        self,
        plan: JobPlan,
        before: Before,
        to: Services,
        on_end: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._stations = dict(plan.stations)  # as they open parts now
        self._on_end = on_end
        self.stopping = False
        self.ledger = Ledger(
            plan.stations,
            plan.open_limit,
            last=before.last,
            left=before.left,
            claims=before.claims,
            carried=before.carried,
        )
        self.latest = Latest()
        self._outlet = Outlet(
            plan.origin,
            plan.maps,
            ledger=self.ledger,
            journal=to.journal,
            latest=self.latest,
            statistics=to.statistics,
            outlets=Outlets(to.publish, self._drive, to.keep, to.violated),
        )
        self._cameras: dict[str, list[CameraSupervisor]] = {name: [] for name in plan.stations}
        self.holdings = [Holding(f"infer-{n}") for n in range(plan.workers)]
        self.holdings.append(Holding("outlet"))
        self._no_more_frames = threading.Event()
        self.ended = threading.Event()
        self.frames = Channel[Frame](0)

    def add(self, station: str, camera: CameraSupervisor) -> None:
        """Add a camera before the start."""
        self._cameras[station].append(camera)

    @property
    def devices(self) -> tuple[str, ...]:
        """Name the CUDA devices that frames are inspected on."""
        judgings = [plan.judging for plan in self._stations.values() if plan.judging is not None]
        return tuple(sorted({device for judging in judgings for device in judging.devices}))

    @property
    def stations(self) -> Mapping[str, Sequence[CameraSupervisor]]:
        return self._cameras

    @property
    def cameras(self) -> list[CameraSupervisor]:
        return [camera for cameras in self._cameras.values() for camera in cameras]

    @property
    def unheard_ns(self) -> list[int]:
        """Since when (Unix epoch) triggers of cameras that have stopped are not accounted for."""
        return [ns for camera in self.cameras if (ns := camera.unheard_ns) is not None]

    def start(self, crew: Crew) -> None:
        """Start every stage, the last one first."""
        self.frames = frames = Channel[Frame](self._plan.queue, producers=len(self.cameras))
        last = Last(self._plan.workers, self._no_more_results)
        last_camera = Last(len(self.cameras), self._no_more_frames.set)
        crew.start("outlet", self._let_out)
        crew.start("timer", self.ledger.run_timer)
        for worker in range(self._plan.workers):
            holding = self.holdings[worker]
            crew.start(holding.name, partial(self._infer, worker, holding, last))
        for camera in self.cameras:
            crew.start(
                f"camera-{camera.name}", partial(_feed, camera, self._take, frames, last_camera)
            )

    def stop(self) -> None:
        """Stop the cameras; ``ended`` is set when every trigger has its verdict."""
        self.stopping = True
        for camera in self.cameras:
            camera.stop()

    def kill(self) -> None:
        """End what takes too long: camera processes at once, open parts as they are."""
        for camera in self.cameras:
            camera.kill()
        for frame in self.frames.abandon():
            frame.lease.let_go()
        self._no_more_frames.wait(_LAST_WORDS)  # what a camera still said of its triggers counts
        self._no_more_results()

    def close(self) -> None:
        """Give shared memory back, once no thread uses it any more."""
        self.latest.clear()
        for camera in self.cameras:
            camera.close()

    # What is asked of it.

    def station(self, name: str | None) -> str:
        """Give the station of a request; raises ``InputError`` if there is none of that name."""
        names = sorted(self._cameras)
        if name is None and len(names) == 1:
            return names[0]
        if name not in self._cameras:
            raise InputError(f"station = {name!r}: there is none; allowed are {names}")
        return name

    def camera(self, station: str, name: str | None) -> str:
        """Give the camera of a request; raises ``InputError`` if there is none of that name."""
        names = [camera.name for camera in self._cameras[station]]
        if name is None and len(names) == 1:
            return names[0]
        if name not in names:
            raise InputError(f"camera = {name!r}: there is none; allowed are {names}")
        return name

    def trigger(self, station: str, part: Part) -> int:
        """Send a software trigger to a station's cameras; give the seq of its verdict.

        Raises ``InputError`` if the station is not triggered by software.
        """
        source = self._plan.stations[station].source
        if source is not TriggerSource.SOFTWARE:
            raise InputError(
                f"station {station} is triggered by {source}; set its cameras' trigger to software"
            )
        number = self.ledger.command(station, part)
        for camera in self._cameras[station]:
            camera.trigger(number)
        return number

    def announce(self, station: str, part: Part, views: tuple[str, ...] | None) -> int:
        """Announce the part of the next trigger; give the seq of its verdict.

        Raises ``InputError`` if the station is triggered by software, or has no such views.
        """
        plan = self._plan.stations[station]
        if plan.source is TriggerSource.SOFTWARE:
            raise InputError(
                f"station {station} is triggered by software: name the part with SoftwareTrigger"
            )
        if views is not None and (not views or not set(views) <= set(plan.cameras)):
            raise InputError(f"views = {list(views)}: allowed are some of {list(plan.cameras)}")
        return self.ledger.announce(station, part, views)

    def idle(self, station: str) -> bool:
        """Say whether no frame waits or is inspected, and half of a station's slots are free."""
        if len(self.frames) or any(holding.seconds() for holding in self.holdings[:-1]):
            return False
        return all(2 * camera.slots_free >= camera.slots for camera in self._cameras[station])

    def switch(self, station: str, plan: StationPlan) -> int:
        """Judge a station's parts by another plan from the next one on; give that part's seq."""
        self._stations[station] = plan
        return self.ledger.switch(station, plan)

    # Stages.

    def _take(self, camera: CameraSupervisor, frame: Frame) -> None:
        self.frames.put(frame)
        if camera.overflow == "drop_oldest" and camera.full:
            of = (frame.claim.station, frame.claim.camera)
            oldest = self.frames.take_out(lambda f: (f.claim.station, f.claim.camera) == of)
            if oldest is not None:
                oldest.lease.let_go()
                why = Unseen(Reason.OVERRUN, "gave its slot to a newer frame")
                self.ledger.resolve(oldest.claim, why)

    def _infer(self, worker: int, holding: Holding, last: Last) -> None:
        try:
            frames = holding.watch(self.frames)
            for claim, outcome in infer(frames, worker, self.ledger.waits):
                self._resolve(claim, outcome)
        finally:
            last.done()

    def _no_more_results(self) -> None:
        self.ledger.close(Reason.SHUTDOWN, "open when the job was stopped")

    def _let_out(self) -> None:
        try:
            self._outlet.run(self.holdings[-1].watch(self.ledger.settled(self._plan.pace_s)))
        finally:
            self.ended.set()
            self._on_end()

    def _resolve(self, claim: Claim, outcome: Inspected | Unseen) -> None:
        if not self.ledger.resolve(claim, outcome) and isinstance(outcome, Inspected):
            outcome.frame.lease.let_go()

    def _drive(self, part: Settled, verdict: Verdict) -> None:
        """Let a good part through the gate, at the camera that has the output."""
        if verdict.verdict is not Kind.PASS:
            return
        seen = {view.camera: view.seen for view in part.views}
        for camera in self._cameras[part.station]:
            at = seen.get(camera.name)
            if camera.drives and at is not None:
                camera.output(part.number, at.trigger)


def _feed(
    camera: CameraSupervisor,
    take: Callable[[CameraSupervisor, Frame], None],
    frames: Channel[Frame],
    last: Last,
) -> None:
    try:
        camera.run(partial(take, camera))
    finally:
        frames.done()
        last.done()
