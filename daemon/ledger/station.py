"""One station's open parts, its numbers and its account. Used with the ledger's lock held alone."""

import time
from collections.abc import Iterator

from daemon.claims import Claim, Seen, StationPlan
from daemon.ledger.account import Account
from daemon.ledger.claim_file import ClaimFile, Left
from daemon.ledger.grouping import ByCommand, grouping_of
from daemon.messages import Counts, Part, Reason
from daemon.parts import Bypassed, Inspected, OpenPart, OpenView, Outcome, Settled, Unseen, close

_REMEMBERED = 64  # parts that are closed, for frames that come late


class Station:
    def __init__(
        self,
        name: str,
        plan: StationPlan,
        *,
        last: int,
        left: Left | None,
        claims: ClaimFile | None,
        carried: Counts,
    ) -> None:
        """Go on after number ``last``; what a killed process left open is resolved at once.

        ``carried``: the account of this process's jobs before.
        """
        self.name = name
        self.plan = plan
        self.open: dict[int, OpenPart] = {}  # by number, ascending
        self.last = last
        self.account = Account(last, carried)
        self.closed: dict[int, int | None] = {}
        self.bypassed = False
        self.doubt: Unseen | None = None  # why frames exposed until then are not looked at
        self.doubted_until_ns: float = 0.0  # CLOCK_MONOTONIC
        self.grouping = grouping_of(plan)
        self._claims = claims
        self._away: dict[str, Unseen] = {}  # cameras
        gone = Unseen(Reason.RESTART, "open when effad was killed")
        for part in left.open if left else ():
            if part.number > last:
                views = {camera: OpenView(outcome=gone) for camera in plan.cameras}
                views[plan.cameras[0]].trigger = part.trigger
                # Of the clock before a restart of the machine nothing is left but the wall's time.
                known = time.monotonic_ns() - max(0, time.time_ns() - part.known_ns)
                self._open(part.number, part.part, known, float("inf"), views)

    # Opening.

    def open_until(self, number: int, known_ns: int | None = None) -> None:
        """Open parts that became known at ``known_ns``, or now."""
        now = time.monotonic_ns()
        known = now if known_ns is None else min(known_ns, now)
        while self.last < number:
            following = self.last + 1
            views = {camera: self._fresh(camera, following) for camera in self.plan.cameras}
            self._open(following, Part(), known, _due(self.plan, known), views)

    def announce(self, part: Part, cameras: tuple[str, ...] | None) -> int:
        """Open a part before its trigger; give its number."""
        now = time.monotonic_ns()
        number = self.last + 1
        views = {c: self._fresh(c, number) for c in cameras or self.plan.cameras}
        self._open(number, part, now, now / 1e9 + self.plan.announced_s, views, announced=True)
        return number

    def command(self, part: Part) -> int:
        """Open a part before its software triggers are sent; give its number."""
        now = time.monotonic_ns()
        number = self.last + 1
        views = {camera: self._fresh(camera, number) for camera in self.plan.cameras}
        self._open(number, part, now, _due(self.plan, now), views)
        return number

    def _open(
        self,
        number: int,
        part: Part,
        known_ns: int,
        due: float,
        views: dict[str, OpenView],
        *,
        announced: bool = False,
    ) -> None:
        if self._claims is not None:
            wall = time.time_ns() - time.monotonic_ns()
            first = views.get(self.plan.cameras[0])
            trigger = first.trigger if first is not None and not announced else None
            self._claims.opened(self.name, number, known_ns + wall, part, trigger)
        self.last = number
        self.open[number] = OpenPart(number, part, self.plan, due, known_ns, views, announced)

    def switch(self, plan: StationPlan) -> int:
        """Open parts by another plan of the same cameras from now on; give the first's number."""
        self.plan = plan
        return self.last + 1

    def _fresh(self, camera: str, number: int) -> OpenView:
        view = OpenView(trigger=self.grouping.trigger_of(camera, number))
        if camera in self._away:
            view.outcome = self._missing(self._away[camera])
        return view

    # What cameras say.

    def started(self, camera: str, base: int, shift: int) -> None:
        self._away.pop(camera, None)
        if self._claims is not None:
            self._claims.started(self.name, camera, base, shift)
        self.grouping.started(camera, base, self)

    def frame(self, camera: str, seen: Seen) -> Claim | None:
        number = self.grouping.of_frame(camera, seen, self)
        self.open_until(number, seen.exposed_ns)
        self._note(camera, seen.trigger)
        part = self.open.get(number)
        view = self.view(number, camera)
        if part is None or view is None:
            return None
        part.announced = False
        view.trigger, view.frame_id, view.seen = seen.trigger, seen.frame_id, seen
        # From the first exposure, wherever the part became known before.
        part.due = _due(part.plan, part.exposed_ns or seen.exposed_ns)
        if self.bypassed:
            view.outcome = Bypassed()
            return None
        if self.doubt is not None and seen.exposed_ns < self.doubted_until_ns:
            view.outcome = self.doubt
            return None
        return Claim(self.name, number, camera, part.due, part.plan.judging)

    def missed(self, camera: str, trigger: int, why: Unseen, frame_id: int | None) -> None:
        number = self.grouping.of_missed(camera, trigger, self)
        if number is not None:
            self.open_until(number)
        self._note(camera, trigger)  # last: killed in between, it would be known and not open
        if number is None:
            return
        view = self.view(number, camera)
        if view is not None:
            self.open[number].announced = False
            view.trigger, view.frame_id = trigger, frame_id
            view.outcome = self._missing(why)

    def counted(self, camera: str, triggers: int, room: int) -> None:
        number = self.grouping.of_count(camera, triggers, self)
        if number is not None:
            self.open_until(min(number, self.last + max(0, room - len(self.open))))
            newest = self.grouping.trigger_of(camera, min(number, self.last))
            if newest is not None:
                self._note(camera, newest)
            for part in self.open.values():
                if part.announced and part.number <= number:
                    part.announced, part.due = False, _due(part.plan, time.monotonic_ns())

    def away(self, camera: str, why: Unseen) -> None:
        """Resolve what waits for a camera that cannot deliver it any more."""
        self._away[camera] = why
        for part in self.open.values():
            view = part.views.get(camera)
            if view is not None and view.outcome is None and view.seen is None:
                view.outcome = self._missing(why)

    def triggered(self, camera: str, number: int, trigger: int | None, error: str) -> None:
        view = self.view(number, camera)
        if trigger is not None:
            if isinstance(self.grouping, ByCommand):
                self.grouping.issued(camera, trigger, number)
            self._note(camera, trigger)
            if view is not None:
                view.trigger = trigger
        elif view is not None:
            view.outcome = self._missing(Unseen(Reason.CAMERA_DOWN, f"trigger refused: {error}"))

    def _note(self, camera: str, trigger: int) -> None:
        if self._claims is not None:
            self._claims.trigger(self.name, camera, trigger)

    def _missing(self, why: Unseen) -> Outcome:
        return Bypassed() if self.bypassed else why

    # Resolving.

    def view(self, number: int, camera: str) -> OpenView | None:
        """Give a view that is still to be resolved."""
        part = self.open.get(number)
        view = part.views.get(camera) if part else None
        return view if view is not None and view.outcome is None else None

    def resolve(self, claim: Claim, outcome: Inspected | Unseen) -> bool:
        view = self.view(claim.number, claim.camera)
        if view is None:
            return False
        view.outcome = outcome if isinstance(outcome, Inspected) else self._missing(outcome)
        return True

    def expire(self, now: float) -> None:
        for part in self.open.values():
            if part.due > now:
                continue
            if part.announced:
                why = Unseen(Reason.FRAME_LOST, "announced, and its trigger never came")
                self.grouping.skipped()
                part.announced = False
            else:
                why = Unseen(Reason.FRAME_LOST, "no frame came before the deadline")
            late = Unseen(Reason.LATE, "no result came before the deadline")
            for camera, view in part.views.items():
                if view.outcome is None and view.seen is None:
                    self.grouping.expired(camera)
                    view.outcome = self._missing(why)
                elif view.outcome is None:
                    view.outcome = self._missing(late)

    def shut(self, why: Unseen) -> None:
        """Resolve all that is open."""
        for part in self.open.values():
            for view in part.views.values():
                view.outcome = view.outcome or self._missing(why)

    def settled(self) -> Iterator[Settled]:
        """Take out the parts that are resolved and have none before them that is not."""
        while self.open:
            part = self.open[next(iter(self.open))]
            if not part.settled:
                return
            del self.open[part.number]
            self._remember(part)
            self.account.settled()
            yield close(self.name, part)

    def _remember(self, part: OpenPart) -> None:
        if len(self.plan.cameras) > 1:
            self.closed[part.number] = part.exposed_ns
            self.closed.pop(part.number - _REMEMBERED, None)

    def partial(self, number: int) -> Settled | None:
        """Give a part of several views as far as it is known, if some of it still is not."""
        part = self.open.get(number)
        if part is None or len(part.views) < 2 or part.settled:
            return None
        return close(self.name, part, partial=True)

    # What is known of it.

    def committed(self, number: int) -> None:
        if self._claims is not None:
            self._claims.committed(self.name, number)

    def counts(self) -> Counts:
        return self.account.counts(self.last, len(self.open))

    def earliest(self) -> float:
        """Give when the next part is due, time.monotonic()."""
        return min((part.due for part in self.open.values()), default=float("inf"))


def _due(plan: StationPlan, from_ns: int) -> float:
    return from_ns / 1e9 + plan.deadline_s - plan.commit_budget_s
