"""The claim desk: every trigger that effad knows of ends in exactly one verdict.

A part is opened when its trigger becomes known and closed when each of its views is resolved: by a
result, by word of a loss, or by the ledger's own timer. Whoever resolves a view first wins, the
rest is discarded. Closed parts leave in trigger order.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from daemon.claims import (
    Claim,
    Inspected,
    OpenPart,
    OpenView,
    Seen,
    Settled,
    StationPlan,
    Unseen,
    close,
)
from daemon.messages import Counts, Kind, Part, Reason, TriggerSource
from models.errors import InputError


@dataclass
class _Station:
    name: str
    plan: StationPlan
    open: dict[int, OpenPart] = field(default_factory=dict)  # by number, ascending
    last: int = 0  # number of the newest part
    offset: dict[str, int] = field(default_factory=dict)  # camera: its trigger less the number
    issued: dict[tuple[str, int], int] = field(default_factory=dict)  # (camera, trigger): number
    away: set[str] = field(default_factory=set)
    counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    waiting: int = 0  # settled, and not yet published
    published: int = 0  # number of the newest verdict that left


class Ledger:
    """All stations' claims. Every method may be called from any thread."""

    def __init__(self, stations: Mapping[str, StationPlan], open_limit: int) -> None:
        self._stations = {name: _Station(name, plan) for name, plan in stations.items()}
        self._open_limit = open_limit
        self._settled: deque[Settled] = deque()
        self._closed = False
        self._changed = threading.Condition()

    # What the cameras say.

    def started(self, station: str, camera: str, base: int) -> None:
        """A camera acquires; its first trigger after ``base`` is the station's next part."""
        with self._changed:
            here = self._stations[station]
            here.away.discard(camera)
            here.offset.setdefault(camera, base - here.last)

    def frame(self, station: str, camera: str, seen: Seen) -> Claim | None:
        """Claim the view that a frame belongs to; None if it has been resolved already."""
        with self._changed:
            here = self._stations[station]
            number = self._number(here, camera, seen.trigger)
            self._open_until(here, number, seen.exposed_ns)
            view = self._view(here, number, camera)
            if view is None:
                return None
            view.trigger, view.frame_id = seen.trigger, seen.frame_id
            view.device_ns = seen.device_ns
            view.exposed_ns, view.received_ns = seen.exposed_ns, seen.received_ns
            self._changed.notify_all()
            return Claim(station, number, camera)

    def missed(
        self, station: str, camera: str, triggers: range, why: Unseen, frame_id: int | None
    ) -> None:
        """Resolve the views of triggers that no frame will come of."""
        with self._changed:
            here = self._stations[station]
            for position, trigger in enumerate(triggers):
                number = self._number(here, camera, trigger)
                self._open_until(here, number)
                view = self._view(here, number, camera)
                if view is not None:
                    view.trigger, view.outcome = trigger, why
                    view.frame_id = None if frame_id is None else frame_id + position
                self._settle(here)
            self._changed.notify_all()

    def counted(self, station: str, camera: str, triggers: int) -> None:
        """Open the parts of all triggers that the device has counted."""
        with self._changed:
            here = self._stations[station]
            if here.plan.source is TriggerSource.SOFTWARE:
                return  # opened when they were sent
            number = self._number(here, camera, triggers)
            self._open_until(here, min(number, here.last + self._open_limit - len(here.open)))
            self._changed.notify_all()

    def camera_away(self, station: str, camera: str, detail: str) -> None:
        """Resolve what waits for a camera that cannot deliver it any more."""
        with self._changed:
            here = self._stations[station]
            here.away.add(camera)
            for part in here.open.values():
                view = part.views[camera]
                if view.outcome is None and view.received_ns is None:
                    view.outcome = Unseen(Reason.CAMERA_DOWN, detail)
            self._settle(here)
            self._changed.notify_all()

    # Software triggers.

    def announce(self, station: str, part: Part) -> int:
        """Open a part before its triggers are sent; give its number.

        Raises ``InputError`` if too many are open, or the job has ended.
        """
        with self._changed:
            here = self._stations[station]
            if self._closed:
                raise InputError("no job is running")
            if len(here.open) >= self._open_limit:
                raise InputError(
                    f"{len(here.open)} parts wait for their verdict, and ledger.open_limit is"
                    f" {self._open_limit}; trigger more slowly"
                )
            self._open_until(here, here.last + 1)
            here.open[here.last].part = part
            self._changed.notify_all()
            return here.last

    def triggered(
        self, station: str, camera: str, number: int, trigger: int | None, error: str
    ) -> None:
        """A camera carried a software trigger out as ``trigger``, or (None) refused it."""
        with self._changed:
            here = self._stations[station]
            view = self._view(here, number, camera)
            if trigger is not None:
                here.issued[camera, trigger] = number
                if view is not None:
                    view.trigger = trigger
                return
            if view is not None:
                view.outcome = Unseen(Reason.CAMERA_DOWN, f"trigger refused: {error}")
            self._settle(here)
            self._changed.notify_all()

    # Results, the timer, the end.

    def resolve(self, claim: Claim, outcome: Inspected | Unseen) -> bool:
        """Resolve a view; False if that was done already, and this comes too late."""
        with self._changed:
            here = self._stations[claim.station]
            view = self._view(here, claim.number, claim.camera)
            if view is None:
                return False
            view.outcome = outcome
            self._settle(here)
            self._changed.notify_all()
            return True

    def run_timer(self) -> None:
        """Resolve whatever is due, until the ledger is closed. Runs in a thread of its own."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for here in self._stations.values():
                    self._expire(here, now)
                if self._settled:
                    self._changed.notify_all()
                due = [p.due for h in self._stations.values() for p in h.open.values()]
                self._changed.wait(None if not due else max(0.0, min(due) - time.monotonic()))

    def close(self, reason: Reason, detail: str) -> None:
        """Resolve all that is open, and let ``settled`` end."""
        with self._changed:
            for here in self._stations.values():
                for part in here.open.values():
                    for view in part.views.values():
                        view.outcome = view.outcome or Unseen(reason, detail)
                self._settle(here)
            self._closed = True
            self._changed.notify_all()

    def settled(self) -> Iterator[Settled]:
        """Give parts as they close, each station's in trigger order, until the ledger closes."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._settled or self._closed)
                if not self._settled:
                    return
                part = self._settled.popleft()
            yield part

    def published(self, station: str, number: int, kind: Kind) -> list[int]:
        """Count a verdict that has left; give those before it that did not, which is a fault."""
        with self._changed:
            here = self._stations[station]
            here.counts[kind] += 1
            here.waiting -= 1
            missing = list(range(here.published + 1, number))
            here.published = number
            return missing

    def counts(self) -> dict[str, Counts]:
        """Give each station's account."""
        with self._changed:
            return {
                name: Counts(
                    triggers=here.last,
                    passed=here.counts[Kind.PASS],
                    failed=here.counts[Kind.FAIL],
                    no_verdict=here.counts[Kind.NO_VERDICT],
                    open=len(here.open) + here.waiting,
                )
                for name, here in self._stations.items()
            }

    # Called with the lock held.

    def _number(self, here: _Station, camera: str, trigger: int) -> int:
        if here.plan.source is TriggerSource.SOFTWARE:
            number = here.issued.pop((camera, trigger), None)
            return here.last + 1 if number is None else number
        return trigger - here.offset.setdefault(camera, trigger - 1 - here.last)

    def _open_until(self, here: _Station, number: int, known_ns: int | None = None) -> None:
        """Open parts that became known at ``known_ns``, or now; their deadline runs from then."""
        now = time.monotonic_ns()
        known = now if known_ns is None else min(known_ns, now)
        due = known / 1e9 + here.plan.deadline_s
        while here.last < number:
            here.last += 1
            here.open[here.last] = OpenPart(
                number=here.last,
                part=Part(),
                due=due,
                triggered_ns=known,
                views={camera: _fresh(here, camera) for camera in here.plan.cameras},
            )

    def _view(self, here: _Station, number: int, camera: str) -> OpenView | None:
        """Give a view that is still to be resolved."""
        part = here.open.get(number)
        view = part.views[camera] if part else None
        return view if view is not None and view.outcome is None else None

    def _expire(self, here: _Station, now: float) -> None:
        for part in here.open.values():
            if part.due > now:
                continue
            for view in part.views.values():
                if view.outcome is None and view.received_ns is None:
                    view.outcome = Unseen(Reason.FRAME_LOST, "no frame came before the deadline")
                elif view.outcome is None:
                    view.outcome = Unseen(Reason.LATE, "no result came before the deadline")
        self._settle(here)

    def _settle(self, here: _Station) -> None:
        while here.open:
            part = here.open[next(iter(here.open))]
            if not part.settled:
                return
            del here.open[part.number]
            here.waiting += 1
            self._settled.append(close(here.name, here.plan.source, part))


def _fresh(here: _Station, camera: str) -> OpenView:
    """Give the view of the station's newest part by a camera."""
    view = OpenView()
    if here.plan.source is not TriggerSource.SOFTWARE and camera in here.offset:
        view.trigger = here.last + here.offset[camera]
    if camera in here.away:
        view.outcome = Unseen(Reason.CAMERA_DOWN, "the camera is away")
    return view
