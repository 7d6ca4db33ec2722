"""The shadows of all stations, and the one thread in which they look when nothing waits."""

import threading
from collections.abc import Callable

from daemon.changeover.desk import yield_to_others
from daemon.changeover.shadow import Shadow, comparable, copied
from daemon.changeover.told import ShadowReport
from daemon.channel import Channel, Closed
from daemon.messages import Verdict
from daemon.parts import Inspected, Settled
from models.errors import InputError


class Shadows:
    """``offer`` is the outlet's, ``run`` a thread's; the rest may be called from any thread."""

    def __init__(self, idle: Callable[[str], bool]) -> None:
        """``idle`` says whether nothing waits at a station, and slots are free."""
        self._idle = idle
        self._of: dict[str, Shadow] = {}
        self._lock = threading.Lock()
        self._parts = Channel[tuple[Shadow, Settled, Verdict]](1)
        self._looking = False

    def begin(self, station: str, shadow: Shadow) -> None:
        """Let a shadow look at a station's parts, in the place of one that may be there."""
        with self._lock:
            self._of[station] = shadow

    def end(self, station: str) -> ShadowReport | None:
        """Let it look no more; give what it saw, None if there is none."""
        with self._lock:
            shadow = self._of.pop(station, None)
        return shadow.report() if shadow else None

    def report(self, station: str) -> ShadowReport:
        """Raises ``InputError`` if there is none."""
        with self._lock:
            shadow = self._of.get(station)
        if shadow is None:
            raise InputError(f"station {station}: no recipe looks on; begin with Shadow")
        return shadow.report()

    def offer(self, part: Settled, verdict: Verdict) -> None:
        """Have a part looked at that has its verdict, unless anything else is to be done.

        Never waits. Its slots are held until the thread has copied them.
        """
        shadow = self._of.get(part.station)
        if shadow is None:
            return
        if not comparable(part, verdict) or self._looking or not self._idle(part.station):
            shadow.skipped += 1
            return
        leases = [v.outcome.frame.lease for v in part.views if isinstance(v.outcome, Inspected)]
        for lease in leases:
            lease.share()
        self._looking = True
        try:
            taken = self._parts.offer((shadow, part, verdict))
        except Closed:
            taken = False
        if not taken:
            self._looking = False
            shadow.skipped += 1
            for lease in leases:
                lease.let_go()

    def run(self) -> None:
        """Look at what is offered until ``close``."""
        yield_to_others()
        for shadow, part, verdict in self._parts:
            try:
                own = _taken_out(part)
                shadow.look(own, verdict)
            finally:
                self._looking = False

    def close(self) -> None:
        self._parts.done()


def _taken_out(part: Settled) -> Settled:
    try:
        return copied(part)
    finally:
        for view in part.views:
            if isinstance(view.outcome, Inspected):
                view.outcome.frame.lease.let_go()
