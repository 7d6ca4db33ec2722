"""Claims on verdicts: what the ledger keeps of a part from its trigger to its last view."""

import time
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
    device_ns: int | None  # the camera's clock
    exposed_ns: int  # CLOCK_MONOTONIC: the camera's clock brought to the host's, or a guess
    received_ns: int  # CLOCK_MONOTONIC


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
    exposed_ns: int | None = None  # CLOCK_MONOTONIC, as received_ns
    received_ns: int | None = None
    outcome: Inspected | Unseen | None = None


@dataclass
class OpenPart:
    """A part whose verdict is still to come; changed under the ledger's lock alone."""

    number: int
    part: Part
    due: float  # time.monotonic() at which the timer resolves it
    triggered_ns: int  # CLOCK_MONOTONIC
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
    exposed_ns: int | None  # ns of the Unix epoch, as received_ns
    received_ns: int | None
    outcome: Inspected | Unseen


@dataclass(frozen=True)
class Settled:
    """A part whose views are all resolved, in the order of its station's triggers."""

    station: str
    number: int
    part: Part
    source: TriggerSource
    triggered_ns: int  # ns of the Unix epoch
    views: tuple[SettledView, ...]


def close(station: str, source: TriggerSource, part: OpenPart) -> Settled:
    # The deadline is kept on the monotonic clock, which nobody sets; others are told of the wall's.
    wall = time.time_ns() - time.monotonic_ns()

    def told(ns: int | None) -> int | None:
        return None if ns is None else ns + wall

    return Settled(
        station=station,
        number=part.number,
        part=part.part,
        source=source,
        triggered_ns=part.triggered_ns + wall,
        views=tuple(
            SettledView(
                camera=camera,
                trigger=view.trigger,
                frame_id=view.frame_id,
                device_ns=view.device_ns,
                exposed_ns=told(view.exposed_ns),
                received_ns=told(view.received_ns),
                outcome=view.outcome,
            )
            for camera, view in part.views.items()
            if view.outcome is not None
        ),
    )
