"""Claims on verdicts: what the ledger keeps of a part from its trigger to its last view."""

from dataclasses import dataclass

from daemon.messages import Part, Reason, TriggerSource
from models.calibration import AnomalyMap


@dataclass(frozen=True)
class StationPlan:
    cameras: tuple[str, ...]
    source: TriggerSource
    deadline_s: float  # from the trigger to publication, the commit budget taken off


@dataclass(frozen=True)
class Claim:
    """One view of one part, to be resolved once."""

    station: str
    number: int  # of the part; its verdict's seq
    camera: str


@dataclass(frozen=True)
class Seen:
    """A frame as the camera delivered it."""

    trigger: int
    frame_id: int
    device_ns: int | None
    received_ns: int


@dataclass(frozen=True)
class Inspected:
    anomaly: AnomalyMap
    inferred_ns: int


@dataclass(frozen=True)
class Unseen:
    """A view that has no result."""

    reason: Reason
    detail: str


@dataclass
class OpenView:
    """A view of an open part."""

    trigger: int | None = None
    frame_id: int | None = None
    device_ns: int | None = None
    received_ns: int | None = None
    outcome: Inspected | Unseen | None = None


@dataclass
class OpenPart:
    """A part whose verdict is still to come; changed under the ledger's lock alone."""

    number: int
    part: Part
    due: float  # time.monotonic() at which the timer resolves it
    triggered_ns: int
    views: dict[str, OpenView]

    @property
    def settled(self) -> bool:
        return all(view.outcome is not None for view in self.views.values())


@dataclass(frozen=True)
class SettledView:
    camera: str
    trigger: int | None
    frame_id: int | None
    device_ns: int | None
    received_ns: int | None
    outcome: Inspected | Unseen


@dataclass(frozen=True)
class Settled:
    """A part whose views are all resolved, in the order of its station's triggers."""

    station: str
    number: int
    part: Part
    source: TriggerSource
    triggered_ns: int
    views: tuple[SettledView, ...]


def close(station: str, source: TriggerSource, part: OpenPart) -> Settled:
    return Settled(
        station=station,
        number=part.number,
        part=part.part,
        source=source,
        triggered_ns=part.triggered_ns,
        views=tuple(
            SettledView(
                camera=camera,
                trigger=view.trigger,
                frame_id=view.frame_id,
                device_ns=view.device_ns,
                received_ns=view.received_ns,
                outcome=view.outcome,
            )
            for camera, view in part.views.items()
            if view.outcome is not None
        ),
    )
