"""What a station is, what its cameras deliver, and the claim that each frame makes on a verdict.

Times are CLOCK_MONOTONIC ns, so that a clock that is set makes nothing late.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from daemon.messages import TriggerSource

if TYPE_CHECKING:  # carried from a part's opening to its verdict, and never looked into
    from daemon.inspection.judging import Judging


@dataclass(frozen=True)
class StationPlan:
    """What a station's parts are opened by; a part keeps its own to the end."""

    cameras: tuple[str, ...]  # the first one counts the station's parts
    source: TriggerSource
    deadline_s: float  # from exposure to publication
    commit_budget_s: float = 0.0  # that the timer resolves a part before its deadline
    grouping: Literal["counter", "window"] = "counter"  # what makes views those of one part
    window_s: float = 0.05  # exposures of one part lie within
    announced_s: float = 5.0  # that an announced part's trigger has to come
    judging: "Judging | None" = None  # None: the station has no recipe


@dataclass(frozen=True)
class Claim:
    """One view of one part, to be resolved once."""

    station: str
    number: int  # of the part; its verdict's seq
    camera: str
    due: float = field(default=float("inf"), compare=False)  # time.monotonic(): too late from then
    judging: "Judging | None" = field(default=None, compare=False, repr=False)  # its part's


@dataclass(frozen=True)
class Seen:
    """A frame as the camera delivered it."""

    trigger: int
    frame_id: int
    device_ns: int | None  # the camera's clock
    exposed_ns: int  # the camera's clock brought to the host's, or a guess
    received_ns: int
