"""The claim desk: every trigger that effad knows of ends in exactly one verdict.

A part is opened when its trigger becomes known and closed when each of its views is resolved: by a
result, by word of a loss, or by the ledger's own timer. Whoever resolves a view first wins, the
rest is kept beside the verdict. Closed parts leave in trigger order.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping

from daemon.claims import Claim, Seen, StationPlan
from daemon.ledger.claim_file import ClaimFile, Left
from daemon.ledger.station import Station
from daemon.messages import Counts, Kind, Part, Reason
from daemon.parts import Belated, Inspected, Settled, Unseen
from models.errors import InputError

#: Parts that are committed together, at most.
_BATCH = 64
_NEAR_PACES = 4  # a deadline so many paces away is near


class Ledger:
    """All stations' claims. Every method may be called from any thread."""

    def __init__(
        self,
        stations: Mapping[str, StationPlan],
        open_limit: int,
        *,
        last: Mapping[str, int] | None = None,
        left: Mapping[str, Left] | None = None,
        claims: ClaimFile | None = None,
        carried: Mapping[str, Counts] | None = None,
    ) -> None:
        """Take the stations, and how many parts of each may be open by count alone.

        ``last``: newest committed number of each station, to go on from; ``left``: what a killed
        process left open; ``claims``: where open claims are kept; ``carried``: the account of this
        process's jobs before.
        """
        last, left, carried = last or {}, left or {}, carried or {}
        self._stations = {
            name: Station(
                name,
                plan,
                last=last.get(name, 0),
                left=left.get(name),
                claims=claims,
                carried=carried.get(name, Counts()),
            )
            for name, plan in stations.items()
        }
        self._open_limit = open_limit
        self._ready: deque[Settled | Belated] = deque()
        self._closed = False
        lock = threading.Lock()
        self._lock = lock
        self._settles = threading.Condition(lock)
        self._earlier = threading.Condition(lock)  # something is due before the timer looks
        self._looks_at = 0.0  # when the timer looks next
        for here in self._stations.values():
            self._ready.extend(here.settled())

    # What the cameras say.

    def started(self, station: str, camera: str, base: int, shift: int = 0) -> None:
        """A camera acquires; its first trigger after ``base`` is the station's next part.

        ``shift``: by what triggers exceed the device's own counter.
        """
        with self._lock:
            self._stations[station].started(camera, base, shift)

    def frame(self, station: str, camera: str, seen: Seen) -> Claim | None:
        """Claim the view that a frame belongs to; None if nobody wants a look at it any more."""
        with self._lock:
            here = self._stations[station]
            claim = here.frame(camera, seen)
            if claim is None:
                self._settle(here)
            else:
                self._watch(claim.due)
            return claim

    def missed(
        self, station: str, camera: str, triggers: range, why: Unseen, frame_id: int | None
    ) -> None:
        """Resolve the views of triggers that no frame will come of."""
        with self._lock:
            here = self._stations[station]
            for position, trigger in enumerate(triggers):
                known = None if frame_id is None else frame_id + position
                here.missed(camera, trigger, why, known)
            self._settle(here)
            self._watch(here.earliest())

    def counted(self, station: str, camera: str, triggers: int) -> None:
        """Open the parts of all triggers that the device has counted."""
        with self._lock:
            here = self._stations[station]
            here.counted(camera, triggers, self._open_limit)
            self._settle(here)
            self._watch(here.earliest())

    def camera_away(self, station: str, camera: str, detail: str) -> None:
        """Resolve what waits for a camera that cannot deliver it any more."""
        with self._lock:
            here = self._stations[station]
            here.away(camera, Unseen(Reason.CAMERA_DOWN, detail))
            self._settle(here)

    # Parts that others know of first.

    def command(self, station: str, part: Part) -> int:
        """Open a part before its software triggers are sent; give its number.

        Raises ``InputError`` if too many are open, or the job has ended.
        """
        with self._lock:
            here = self._may_open(station)
            number = here.command(part)
            self._settle(here)
            self._watch(here.earliest())
            return number

    def announce(self, station: str, part: Part, cameras: tuple[str, ...] | None) -> int:
        """Open the part that the next trigger will be of; ``cameras``: its views, None: all.

        Raises ``InputError`` if too many are open, or the job has ended.
        """
        with self._lock:
            here = self._may_open(station)
            number = here.announce(part, cameras)
            self._settle(here)
            self._watch(here.earliest())
            return number

    def triggered(
        self, station: str, camera: str, number: int, trigger: int | None, error: str
    ) -> None:
        """A camera carried a software trigger out as ``trigger``, or (None) refused it."""
        with self._lock:
            here = self._stations[station]
            here.triggered(camera, number, trigger, error)
            self._settle(here)

    def bypass(self, station: str, on: bool) -> None:
        """Let parts pass uninspected from now on, or no longer."""
        with self._lock:
            self._stations[station].bypassed = on

    def switch(self, station: str, plan: StationPlan) -> int:
        """Open a station's parts by another plan from now on; give the first one's number.

        What decides a verdict is thus decided once a part, for all its views: as it is opened.
        ``plan`` has the same cameras, source and grouping as before.
        """
        with self._lock:
            return self._stations[station].switch(plan)

    def doubt(self, station: str, why: Unseen) -> None:
        """Resolve frames that come from now on so: nobody knows how they were exposed."""
        with self._lock:
            here = self._stations[station]
            here.doubt, here.doubted_until_ns = why, float("inf")

    def trust(self, station: str) -> None:
        """Have frames inspected again that are exposed from now on."""
        with self._lock:
            self._stations[station].doubted_until_ns = time.monotonic_ns()

    # Results, the timer, the end.

    def resolve(self, claim: Claim, outcome: Inspected | Unseen) -> bool:
        """Resolve a view; a result that comes after that was done is kept beside its verdict.

        False if it was not taken: whoever gave it still holds its frame.
        """
        with self._lock:
            here = self._stations[claim.station]
            if not here.resolve(claim, outcome):
                if not isinstance(outcome, Inspected) or self._closed:
                    return False
                self._ready.append(Belated(claim, outcome))
                self._settles.notify()
                return True
            if not self._settle(here) and (partial := here.partial(claim.number)) is not None:
                self._ready.append(partial)
                self._settles.notify()
            return True

    def waits(self, claim: Claim) -> bool:
        """Say whether a view is still to be resolved."""
        with self._lock:
            return self._stations[claim.station].view(claim.number, claim.camera) is not None

    def run_timer(self) -> None:
        """Resolve whatever is due, until the ledger is closed. Runs in a thread of its own."""
        with self._lock:
            while not self._closed:
                now = time.monotonic()
                for here in self._stations.values():
                    if here.earliest() <= now:
                        here.expire(now)
                        self._settle(here)
                self._looks_at = min(here.earliest() for here in self._stations.values())
                wait = self._looks_at - time.monotonic()
                self._earlier.wait(None if wait == float("inf") else max(0.0, wait))

    def close(self, reason: Reason, detail: str) -> None:
        """Resolve all that is open, and let ``settled`` end."""
        with self._lock:
            for here in self._stations.values():
                here.shut(Unseen(reason, detail))
                self._settle(here)
            self._closed = True
            self._settles.notify_all()
            self._earlier.notify_all()

    def settled(self, pace_s: float = 0.0) -> Iterator[list[Settled | Belated]]:
        """Give parts as they close, each station's in trigger order, until the ledger closes.

        What has closed meanwhile comes together, so that it can be committed together. Two batches
        lie ``pace_s`` apart, unless a deadline is near: a fast line pays for a commit and for
        waking up once for several parts, and a slow one waits for nothing.
        """
        taken = 0.0
        while True:
            with self._lock:
                self._settles.wait_for(lambda: self._ready or self._closed)
                if not self._ready:
                    return
                pause = self._pause(taken + pace_s, _NEAR_PACES * pace_s)
            if pause > 0:
                time.sleep(pause)
            with self._lock:
                batch = [self._ready.popleft() for _ in range(min(_BATCH, len(self._ready)))]
            taken = time.monotonic()
            yield batch

    # The account.

    def committed(self, station: str, number: int) -> None:
        """A verdict is in the journal: its claim need not survive any more."""
        with self._lock:
            self._stations[station].committed(number)

    def published(
        self, station: str, number: int, kind: Kind, *, bypassed: bool = False
    ) -> list[int]:
        """Count a verdict that has left; give those before it that did not, which is a fault."""
        with self._lock:
            return self._stations[station].account.published(number, kind, bypassed)

    def counts(self) -> dict[str, Counts]:
        """Give each station's account."""
        with self._lock:
            return {name: here.counts() for name, here in self._stations.items()}

    def newest(self) -> dict[str, int]:
        """Give each station's newest published seq."""
        with self._lock:
            return {name: here.account.newest for name, here in self._stations.items()}

    def waiting(self) -> int:
        """Count the parts that are settled and not published: what the journal is behind."""
        with self._lock:
            return sum(here.account.waiting for here in self._stations.values())

    def bypassed(self) -> tuple[str, ...]:
        """Name the stations whose parts pass uninspected."""
        with self._lock:
            return tuple(name for name, here in self._stations.items() if here.bypassed)

    # Called with the lock held.

    def _pause(self, until: float, near_s: float) -> float:
        """Give how long more parts may be waited for, in seconds."""
        now = time.monotonic()
        deadlines = (part.deadline for part in self._ready if isinstance(part, Settled))
        if self._closed or len(self._ready) >= _BATCH or min(deadlines, default=now) < now + near_s:
            return 0.0
        return until - now

    def _may_open(self, station: str) -> Station:
        here = self._stations[station]
        if self._closed:
            raise InputError("no job is running")
        if len(here.open) >= self._open_limit:
            raise InputError(
                f"{len(here.open)} parts wait for their verdict, and ledger.open_limit is"
                f" {self._open_limit}; trigger more slowly"
            )
        return here

    def _settle(self, here: Station) -> bool:
        before = len(self._ready)
        self._ready.extend(here.settled())
        if len(self._ready) == before:
            return False
        self._settles.notify()
        return True

    def _watch(self, due: float) -> None:
        if due < self._looks_at:
            self._looks_at = due
            self._earlier.notify()
