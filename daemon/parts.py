"""A part from its trigger to its last view: open in the ledger, then settled for those behind it.

Times are CLOCK_MONOTONIC ns.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from daemon.claims import Claim, Seen, StationPlan
from daemon.frames import Frame
from daemon.messages import Part, Reason, TriggerSource
from models.calibration import AnomalyMap

if TYPE_CHECKING:  # as in ``claims``
    from daemon.inspection.judging import Judging


@dataclass(frozen=True, eq=False)
class Inspected:
    anomaly: AnomalyMap
    frame: Frame  # still held: who takes this result lets it go
    begun_ns: int  # CLOCK_MONOTONIC, also after the part is closed
    ended_ns: int
    local: float | None = None  # ``models.levels.local_level``; None: not known
    engine: str | None = None  # fingerprint; None: not known


@dataclass(frozen=True)
class Unseen:
    """A view that has no result."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class Bypassed:
    """A view that nobody wanted a look at."""


Outcome: TypeAlias = Inspected | Unseen | Bypassed


@dataclass
class OpenView:
    """A view of an open part."""

    trigger: int | None = None
    seen: Seen | None = None
    frame_id: int | None = None  # also of a frame that could not be used
    outcome: Outcome | None = None


@dataclass
class OpenPart:
    """A part whose verdict is still to come; changed under the ledger's lock alone."""

    number: int
    part: Part
    plan: StationPlan  # of its station when it was opened
    due: float  # time.monotonic() at which the timer resolves it
    known_ns: int
    views: dict[str, OpenView]
    announced: bool = False  # and nothing was heard of its trigger yet

    @property
    def settled(self) -> bool:
        return all(view.outcome is not None for view in self.views.values())

    @property
    def exposed_ns(self) -> int | None:
        """When the first of its frames was taken."""
        taken = [view.seen.exposed_ns for view in self.views.values() if view.seen]
        return min(taken, default=None)


@dataclass(frozen=True)
class SettledView:
    camera: str
    trigger: int | None
    frame_id: int | None
    seen: Seen | None  # its times are CLOCK_MONOTONIC still
    outcome: Outcome


@dataclass(frozen=True)
class Settled:
    """A part whose views are all resolved, in the order of its station's triggers.

    A partial one still lacks views, and is neither numbered nor kept.
    """

    station: str
    number: int
    part: Part
    source: TriggerSource
    triggered_ns: int  # CLOCK_MONOTONIC: exposure, or when it was known
    deadline: float  # time.monotonic() after which PASS and FAIL may not be published any more
    views: tuple[SettledView, ...]
    partial: bool = False
    judging: "Judging | None" = None  # all its views'; None: the station had no recipe


@dataclass(frozen=True)
class Belated:
    """A result that came when its view had been resolved without it."""

    claim: Claim
    outcome: Inspected


def close(station: str, part: OpenPart, *, partial: bool = False) -> Settled:
    """Give an open part as the stages behind the ledger see it."""
    exposed = part.exposed_ns
    views = []
    for camera, view in part.views.items():
        if view.outcome is None:
            continue
        views.append(SettledView(camera, view.trigger, view.frame_id, view.seen, view.outcome))
    return Settled(
        station=station,
        number=part.number,
        part=part.part,
        source=part.plan.source,
        triggered_ns=part.known_ns if exposed is None else exposed,
        deadline=part.due + part.plan.commit_budget_s,
        views=tuple(views),
        partial=partial,
        judging=part.plan.judging,
    )
