"""Who looks at the frames: this process, or several of them beside it."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from calibration.looker import Looker
from calibration.spill import Spill
from calibration.spilled_maps import SpilledMaps, map_layout, record_size
from models import bundle as bundles
from models.backend import Backend
from models.bundle import Bundle
from models.engine import Engine
from models.errors import InputError
from models.precision import Precision
from models.scope import Scope

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class EnginePlan:
    """How to make an engine, in this process or in another."""

    bundle: Path
    device: str
    precision: Precision
    threads: int
    scope: Scope
    backend: Backend = Backend.TORCH

    def make(self) -> tuple[Bundle, Engine]:
        """Load the bundle, and make the engine; raises ``InputError`` as both do."""
        bundle = bundles.load(self.bundle)
        return bundle, self.engine(bundle)

    def engine(self, bundle: Bundle) -> Engine:
        """Make the engine of a bundle that has been loaded."""
        return Engine(
            bundle,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            scope=self.scope,
            backend=self.backend,
        )


@dataclass(frozen=True)
class CrewPlan:
    """Several processes, each with such an engine of its own, on as many threads."""

    engine: EnginePlan
    processes: int

    @classmethod
    def of(cls, engine: EnginePlan, processes: int) -> "CrewPlan | None":
        """Plan them; None for one, which this process can be. Raises ``InputError`` below that."""
        if processes < 1:
            raise InputError(f"processes = {processes}: must be 1 or more")
        return None if processes == 1 else cls(engine, processes)


class Crew(AbstractContextManager["Crew"], Protocol):
    """One or more lookers at work. Jobs are functions that another process can import."""

    def each(
        self, job: Callable[[Looker, Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Do a job for each item, by whoever has time, and yield the results as they come."""

    def every(self, job: Callable[[Looker], Result]) -> list[Result]:
        """Do a job once in each process."""


class Alone(AbstractContextManager["Alone"]):
    """A crew of one, in this process."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker

    def __exit__(self, *_: object) -> None:
        pass

    def each(
        self, job: Callable[[Looker, Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        return (job(self._looker, item) for item in items)

    def every(self, job: Callable[[Looker], Result]) -> list[Result]:
        return [job(self._looker)]


class Processes(AbstractContextManager["Processes"]):
    """A crew of several processes, each with an engine of its own; the spill is shared."""

    def __init__(self, plan: CrewPlan, spill: Spill) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._members: dict[Connection, BaseProcess] = {}
        for _ in range(plan.processes):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(
                target=_work, args=(theirs, plan.engine, spill.path), daemon=True
            )
            process.start()
            theirs.close()
            self._members[ours] = process

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line, process in self._members.items():
            line.close()  # ends it, when it has done what it is at
            if error is not None:
                process.terminate()
            process.join()

    def each(
        self, job: Callable[[Looker, Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        idle = list(self._members)
        for item in items:
            if not idle:
                yield from self._done(idle)
            _send(idle.pop(), (job, (item,)))
        while len(idle) < len(self._members):
            yield from self._done(idle)

    def every(self, job: Callable[[Looker], Result]) -> list[Result]:
        for line in self._members:
            _send(line, (job, ()))
        return [_answer(line) for line in self._members]

    def _done(self, idle: list[Connection]) -> Iterator[Any]:
        """Wait for one result or more; who gave one is idle."""
        for line in wait([line for line in self._members if line not in idle]):
            assert isinstance(line, Connection)  # noqa: S101
            idle.append(line)
            yield _answer(line)


def _send(line: Connection, what: object) -> None:
    try:
        line.send(what)
    except OSError as error:
        raise _ended() from error


def _answer(line: Connection) -> Any:
    try:
        answer = line.recv()
    except (EOFError, OSError) as error:
        raise _ended() from error
    if isinstance(answer, InputError):
        raise answer
    return answer


def _ended() -> InputError:
    return InputError(
        "a measuring process ended early, perhaps for want of memory; use fewer --processes."
        " The recipe is as it was"
    )


def _work(line: Connection, given: EnginePlan, spill: str) -> None:
    """Be a member: do jobs until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to handle
    looker: Looker | None = None
    while True:
        try:
            job, items = line.recv()
        except EOFError:
            return
        try:
            if looker is None:
                looker = _looker(given, spill)
            answer = job(looker, *items)
        except InputError as error:
            answer = error
        line.send(answer)


def _looker(given: EnginePlan, spill: str) -> Looker:
    bundle, engine = given.make()
    size = bundle.manifest.input
    layout = map_layout(engine, size.height, size.width)
    return Looker(engine, layout, SpilledMaps(Spill.join(spill, record_size(layout)), layout))
