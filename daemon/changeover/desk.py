"""Where orders wait that take long, for one thread that lets all others go first."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from daemon import log
from daemon.channel import Channel, Closed
from models.errors import InputError

T = TypeVar("T")

_ORDERS = 64  # that wait, of all stations
NICE = 5  # of threads that nobody waits for: a third of what the others get of a busy core
_GIVES_WAY = 1.0  # seconds, before each step: on a line that never catches up it must go on
_LOOKS = 0.01  # seconds, between two looks whether it has caught up
#: What a recipe, its bundle and its engine can raise: the order has failed, and nothing else has.
FAILURES = (InputError, OSError, MemoryError, RuntimeError, ArithmeticError, ValueError)


@dataclass(frozen=True)
class _Order(Generic[T]):
    station: str
    work: Callable[[], T]
    done: "Future[T]"


class Desk:
    """Takes one order a station at a time. ``run`` is a thread's work."""

    def __init__(self, behind: Callable[[], bool]) -> None:
        """``behind`` says whether frames wait that should be inspected first."""
        self._behind = behind
        self._orders = Channel[_Order[object]](_ORDERS)
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def submit(self, station: str, work: Callable[[], T]) -> "Future[T]":
        """Give what will hold what ``work`` gives, or an ``InputError`` of why it failed.

        Raises ``InputError`` if the station has an order under way.
        """
        done: Future[T] = Future()
        with self._lock:
            if station in self._busy:
                raise InputError(
                    f"station {station}: another recipe is being loaded; wait for its reply, then"
                    " ask again"
                )
            try:
                taken = not self.closing.is_set() and self._orders.offer(
                    _Order(station, work, done)  # type: ignore[arg-type]
                )
            except Closed:
                taken = False
            if not taken:
                raise InputError("effad has too much to do, or is stopping; ask again")
            self._busy.add(station)
        return done

    @property
    def busy(self) -> bool:
        """Whether an order waits or is under way."""
        with self._lock:
            return bool(self._busy)

    def run(self) -> None:
        """Carry orders out until ``close``."""
        for order in self._orders:
            try:
                self._carry_out(order)
            finally:
                with self._lock:
                    self._busy.discard(order.station)

    def _carry_out(self, order: _Order[object]) -> None:
        try:
            self.step()
            told = order.work()
        except FAILURES as error:
            why = error
            if not isinstance(error, InputError):
                log.get("effad").exception("order failed", station=order.station)
                why = InputError(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
            self._free(order)
            order.done.set_exception(why)
        else:
            self._free(order)  # before it is told: who hears of it may order again
            order.done.set_result(told)

    def _free(self, order: _Order[object]) -> None:
        with self._lock:
            self._busy.discard(order.station)

    def step(self) -> None:
        """Let frames that wait go first; called before an order and between its steps.

        A low priority alone does not do that: a busy core beside shares its memory with the line.
        Raises ``InputError`` if effad is stopping.
        """
        until = time.monotonic() + _GIVES_WAY
        while self._behind() and time.monotonic() < until and not self.closing.wait(_LOOKS):
            pass
        if self.closing.is_set():
            raise InputError("effad is stopping; ask again when it runs")

    def close(self) -> None:
        """Take no more orders; those that wait fail."""
        self.closing.set()
        self._orders.done()


def yield_to_others() -> None:
    """Let every other thread of the machine go first; for threads that nobody waits for."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
