"""What is asked of recipes while the daemon runs."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from daemon.changeover.chosen import Chosen
from daemon.changeover.desk import Desk, yield_to_others
from daemon.changeover.library import folder_of
from daemon.changeover.shadow import Shadow
from daemon.changeover.shadows import Shadows
from daemon.changeover.swap import Line, Order, Swap, changes
from daemon.changeover.told import Activated, ShadowReport
from daemon.channel import Crew
from daemon.messages import Verdict
from daemon.parts import Settled
from daemon.requests import ActivateRecipe
from daemon.requests import Shadow as ShadowRequest
from models.errors import InputError

T = TypeVar("T")


class Changeovers:
    """Recipes are loaded in one thread of low priority, shadows look in another."""

    def __init__(self, line: Line, chosen: Chosen) -> None:
        self._line = line
        self._desk = Desk(self._behind)
        self._swap = Swap(line, chosen, self._desk.step)
        self._shadows = Shadows(self._idle)
        self._stations = {station.name: station for station in line.settings.stations}

    def start(self, crew: Crew) -> None:
        def run() -> None:
            yield_to_others()
            self._desk.run()

        crew.start("changeover", run)
        crew.start("shadow", self._shadows.run)

    def close(self) -> None:
        """Take no more orders, and let the threads end."""
        self._desk.close()
        self._shadows.close()

    @property
    def busy(self) -> bool:
        """Whether recipes are being loaded: cameras that no job has may be open for a look."""
        return self._desk.busy

    def activate(
        self, station: str, request: ActivateRecipe, who: str, then: Callable[[Activated], T]
    ) -> "Future[T]":
        """Activate a recipe; give what will hold what ``then`` makes of it, or an ``InputError``.

        Raises ``InputError`` if the station has an order under way.
        """

        def work() -> T:
            told = self._swap.activate(self._order(station, request, who))
            return then(told.model_copy(update={"shadow": self._shadows.end(station)}))

        if self._line.jobs.starting:
            raise InputError("a job is about to start; ask again")
        return self._desk.submit(station, work)

    def shadow(
        self,
        station: str,
        request: ShadowRequest,
        who: str,
        then: Callable[[ShadowReport | None], T],
    ) -> "Future[T]":
        """Let a recipe look on, or no longer; else as ``activate``."""

        def work() -> T:
            if not request.on:
                return then(self._shadows.end(station))
            judging = self._swap.prepare(self._order(station, request, who))
            job = self._line.jobs.current
            cameras = job.stations[station] if job else ()
            other = any(changes(camera, judging.recipe) for camera in cameras)
            self._shadows.begin(station, Shadow(station, judging, other))
            return then(self._shadows.report(station))

        return self._desk.submit(station, work)

    def compared(self, station: str) -> ShadowReport:
        """Give how a station's shadow compares; raises ``InputError`` if it has none."""
        return self._shadows.report(station)

    def offer(self, part: Settled, verdict: Verdict) -> None:
        """Take a part that has its verdict, for the shadow; never waits."""
        self._shadows.offer(part, verdict)

    def _order(self, station: str, request: ActivateRecipe | ShadowRequest, who: str) -> Order:
        settings, judging = self._stations[station], self._line.jobs.judgings().get(station)
        present = judging.recipe.path if judging else None
        folder = folder_of(request.recipe, self._line.settings.recipes.folder, present)
        return Order(settings, folder, request.version, who)

    def _behind(self) -> bool:
        job = self._line.jobs.current
        return job is not None and len(job.frames) > 0

    def _idle(self, station: str) -> bool:
        job = self._line.jobs.current
        return job is not None and job.idle(station)
