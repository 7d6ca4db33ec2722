"""A job: from the cameras of all stations to their verdicts, as one stream.

``stop`` stops the cameras; the end of their streams runs through every stage behind them.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from daemon.camera.supervisor import CameraSupervisor
from daemon.channel import Channel, Crew, Holding, Last
from daemon.claims import StationPlan
from daemon.frames import Frame
from daemon.infer import Inspector, infer
from daemon.ledger import Ledger
from daemon.messages import Counts, Part, Reason, TriggerSource
from daemon.outcome import MapPlan, Origin, outcomes
from daemon.publisher import Outgoing
from models.errors import InputError
from models.recipe import LoadedRecipe

Workers = Sequence[Mapping[str, Inspector]]  # each worker's inspectors, by station
Publish = Callable[[Outgoing], None]


_LAST_WORDS = 2.0  # seconds


@dataclass(frozen=True)
class JobPlan:
    stations: Mapping[str, StationPlan]
    recipes: Mapping[str, LoadedRecipe]
    open_limit: int
    queue: int  # frames, as many as all cameras have slots
    maps: MapPlan
    origin: Origin


class Job:
    def __init__(
        self,
        plan: JobPlan,
        workers: Workers,
        publish: Publish,
        violated: Callable[[str, str], None],
    ) -> None:
        self._plan = plan
        self._workers = workers
        self._publish = publish
        self._violated = violated  # station, text
        self.ledger = Ledger(plan.stations, plan.open_limit)
        self._cameras: dict[str, list[CameraSupervisor]] = {name: [] for name in plan.stations}
        self.holdings = [Holding(f"infer-{n}") for n in range(len(workers))]
        self.holdings.append(Holding("outcome"))
        self._no_more_frames = threading.Event()
        self.ended = threading.Event()

    def add(self, station: str, camera: CameraSupervisor) -> None:
        """Add a camera before the start."""
        self._cameras[station].append(camera)

    @property
    def cameras(self) -> list[CameraSupervisor]:
        return [camera for cameras in self._cameras.values() for camera in cameras]

    def start(self, crew: Crew) -> None:
        """Start every stage, the last one first."""
        self._frames = frames = Channel[Frame](self._plan.queue, producers=len(self.cameras))
        last = Last(len(self._workers), self._no_more_results)
        last_camera = Last(len(self.cameras), self._no_more_frames.set)
        crew.start("outcome", self._outcome)
        crew.start("timer", self.ledger.run_timer)
        for number, inspectors in enumerate(self._workers):
            holding = self.holdings[number]
            crew.start(holding.name, partial(self._infer, frames, inspectors, holding, last))
        for camera in self.cameras:
            crew.start(f"camera-{camera.name}", partial(_feed, camera, frames, last_camera))

    def stop(self) -> None:
        """Stop the cameras; ``ended`` is set when every trigger has its verdict."""
        for camera in self.cameras:
            camera.stop()

    def kill(self) -> None:
        """End what takes too long: camera processes at once, open parts as they are."""
        for camera in self.cameras:
            camera.kill()
        for frame in self._frames.abandon():
            frame.give_back()
        self._no_more_frames.wait(_LAST_WORDS)  # what a camera still said of its triggers counts
        self._no_more_results()

    def close(self) -> None:
        """Give shared memory back, once no thread uses it any more."""
        for camera in self.cameras:
            camera.close()

    def trigger(self, station: str | None, part: Part) -> int:
        """Send a software trigger to a station's cameras; give the seq of its verdict.

        Raises ``InputError`` if there is no such station, or it is not triggered by software.
        """
        names = sorted(self._cameras)
        if station is None and len(names) == 1:
            station = names[0]
        if station not in self._cameras:
            raise InputError(f"station = {station!r}: there is none; allowed are {names}")
        source = self._plan.stations[station].source
        if source is not TriggerSource.SOFTWARE:
            raise InputError(
                f"station {station} is triggered by {source}; set its cameras' trigger to software"
            )
        number = self.ledger.announce(station, part)
        for camera in self._cameras[station]:
            camera.trigger(number)
        return number

    def counts(self) -> dict[str, Counts]:
        return self.ledger.counts()

    def _infer(
        self,
        frames: Channel[Frame],
        inspectors: Mapping[str, Inspector],
        holding: Holding,
        last: Last,
    ) -> None:
        try:
            for claim, outcome in infer(holding.watch(frames), inspectors):
                self.ledger.resolve(claim, outcome)
        finally:
            last.done()

    def _no_more_results(self) -> None:
        self.ledger.close(Reason.SHUTDOWN, "open when the job was stopped")

    def _outcome(self) -> None:
        plan = self._plan
        parts = self.holdings[-1].watch(self.ledger.settled())
        try:
            for ready in outcomes(parts, plan.recipes, plan.origin, plan.maps):
                verdict = ready.verdict
                self._publish(Outgoing(verdict))
                missing = self.ledger.published(verdict.station, verdict.seq, verdict.verdict)
                if missing:
                    self._violated(verdict.station, f"verdicts {missing} were never published")
                for following in ready.maps:
                    self._publish(following)
        finally:
            self.ended.set()


def _feed(camera: CameraSupervisor, frames: Channel[Frame], last: Last) -> None:
    try:
        camera.run(frames.put)
    finally:
        frames.done()
        last.done()
