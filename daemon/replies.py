"""What effad answers on its control socket (``daemon.requests``)."""

from typing import Any, Literal

from daemon.changeover.told import Activated, RecipeInUse, ShadowReport
from daemon.messages import Counts, Kind, Message, Part, PixelInfo, State


class StageLatency(Message):
    """Of a stage, in milliseconds; quantiles within 5 %."""

    count: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class StationStatistics(Message):
    counts: Counts
    reasons: dict[str, int]  # NO_VERDICTs by reason
    stages: dict[str, StageLatency]  # receive, queue, infer, settle, commit, send, total


class SnapshotInfo(Message):
    """What the second and third part of a reply to Snapshot hold, and of what verdict."""

    station: str
    camera: str
    seq: int
    frame: PixelInfo
    map_shape: tuple[int, int]  # float32, row by row
    score: float
    threshold: float


class CollectedFrame(Message):
    """What a further part of a reply to TakeFrames holds: a view of a part, as its camera sent it.

    A part's views follow each other.
    """

    number: int  # counts the collection's frames
    seq: int  # of its part's verdict
    part: Part
    camera: str
    verdict: Kind  # of the part
    score: float  # of the view, by the recipe that inspected it
    frame: PixelInfo


class Collection(Message):
    """How far a collection has come, in parts."""

    collection: str  # its name in TakeFrames and StopCollecting
    station: str
    which: Literal["good", "all"]
    wanted: int
    collected: int  # of which frames were kept
    passed_over: int  # not wanted, or without a look: bypassed, or NO_VERDICT
    lost: int  # wanted, and not kept: the backlog was full
    ended: str | None = None  # why there will be no more; frames may still be there to be taken


class Reply(Message):
    """The answer to a request; what does not belong to its command is left out."""

    v: Literal[1] = 1
    id: str
    ok: bool
    error: str | None = None  # one line: what is wrong and what is allowed
    state: State | None = None
    epoch: int | None = None
    seq: dict[str, int] | None = None  # GetState: newest of each station
    counts: dict[str, Counts] | None = None  # GetState
    bypassed: tuple[str, ...] | None = None  # GetState, Bypass: stations
    number: int | None = None  # SoftwareTrigger, AnnouncePart: the seq that its verdict will have
    statistics: dict[str, StationStatistics] | None = None
    snapshot: SnapshotInfo | None = None
    verdicts: tuple[dict[str, Any], ...] | None = None  # ReplayFrom: as published, and historical
    first: int | None = None  # ReplayFrom: oldest seq that is kept
    last: int | None = None  # ReplayFrom: newest seq
    more: bool | None = None  # ReplayFrom: ask again, after the last of these
    reset: bool | None = None  # ReplayFrom: another history than the asker's; it began again
    recipes: dict[str, RecipeInUse] | None = None  # GetState: of each station that has one
    activated: Activated | None = None  # ActivateRecipe
    shadow: ShadowReport | None = None  # Shadow, GetShadow
    collecting: tuple[str, ...] | None = None  # GetState: stations that hand over frames
    collection: Collection | None = None  # CollectFrames, TakeFrames, StopCollecting
    frames: tuple[CollectedFrame, ...] | None = None  # TakeFrames: the further parts of the reply
