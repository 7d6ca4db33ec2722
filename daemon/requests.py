"""What effad is asked on its control socket, and what it answers: a closed set, as messages are.

Commands are named as the methods of OPC 40100-1 where it has one.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args

from pydantic import Field, TypeAdapter

from daemon.changeover.told import Activated, RecipeInUse, ShadowReport
from daemon.messages import Counts, Kind, Message, Part, PixelInfo, State

Name = Annotated[str, Field(min_length=1, max_length=64)]
_LARGEST = (1 << 63) - 1  # that the journal can look up
Note = Annotated[str, Field(max_length=1000)]


#: A recipe of the library, by its name or by the number that PLCs call it.
RecipeKey: TypeAlias = (
    Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    | Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]
)


class Command(StrEnum):
    GET_STATE = "GetState"
    GET_STATISTICS = "GetStatistics"
    REPLAY_FROM = "ReplayFrom"
    SNAPSHOT = "Snapshot"
    ANNOUNCE_PART = "AnnouncePart"
    SOFTWARE_TRIGGER = "SoftwareTrigger"
    START_JOB = "StartJob"
    STOP_JOB = "StopJob"
    ACTIVATE_RECIPE = "ActivateRecipe"
    SHADOW = "Shadow"
    GET_SHADOW = "GetShadow"
    BYPASS = "Bypass"
    OVERRIDE = "Override"
    COLLECT_FRAMES = "CollectFrames"
    TAKE_FRAMES = "TakeFrames"
    STOP_COLLECTING = "StopCollecting"
    CHALLENGE = "Challenge"


#: What who may watch, and not command, may ask.
WATCHING = frozenset(
    {
        Command.GET_STATE,
        Command.GET_STATISTICS,
        Command.REPLAY_FROM,
        Command.SNAPSHOT,
        Command.GET_SHADOW,
    }
)


#: What takes time, and is answered when it is done, others being answered meanwhile.
LATER = frozenset({Command.ACTIVATE_RECIPE, Command.SHADOW})


#: What changes nothing, and is not kept among who commanded what.
UNAUDITED = WATCHING | {Command.TAKE_FRAMES}


class _Request(Message):
    v: Literal[1] = 1
    id: str = Field(default="", max_length=64)  # given back in the reply


class _StationRequest(_Request):
    station: Name | None = None  # may be left out where there is one station


class GetState(_Request):
    """State, newest seq and account of each station."""

    command: Literal[Command.GET_STATE] = Command.GET_STATE


class GetStatistics(_Request):
    """Verdicts by reason, and latency by stage, of each station since the daemon's start."""

    command: Literal[Command.GET_STATISTICS] = Command.GET_STATISTICS


class ReplayFrom(_StationRequest):
    """The verdicts after one that the subscriber has; ask again while the reply says ``more``."""

    command: Literal[Command.REPLAY_FROM] = Command.REPLAY_FROM
    seq: int = Field(
        ge=0, le=_LARGEST
    )  # of the newest verdict that is there already; 0: all that are kept
    #: Of that verdict; where the journal's differs, it is another history.
    epoch: int | None = Field(default=None, ge=0, le=_LARGEST)
    limit: int = Field(default=500, ge=1, le=5000)


class Snapshot(_StationRequest):
    """The last inspected frame and its anomaly map, as the second and third part of the reply."""

    command: Literal[Command.SNAPSHOT] = Command.SNAPSHOT
    camera: Name | None = None  # may be left out where the station has one


class AnnouncePart(_StationRequest):
    """The part that the station's next trigger will be of; it is known from now on."""

    command: Literal[Command.ANNOUNCE_PART] = Command.ANNOUNCE_PART
    part: Part
    views: tuple[Name, ...] | None = None  # cameras that will look at it; left out: all


class SoftwareTrigger(_StationRequest):
    command: Literal[Command.SOFTWARE_TRIGGER] = Command.SOFTWARE_TRIGGER
    part: Part = Part()


class StartJob(_Request):
    command: Literal[Command.START_JOB] = Command.START_JOB


class StopJob(_Request):
    command: Literal[Command.STOP_JOB] = Command.STOP_JOB


class Bypass(_StationRequest):
    """Let parts pass uninspected, or no longer; ends with the job."""

    command: Literal[Command.BYPASS] = Command.BYPASS
    on: bool
    note: Note = ""


class Override(_StationRequest):
    """An operator's word on a verdict, kept beside it; the verdict stays what it was."""

    command: Literal[Command.OVERRIDE] = Command.OVERRIDE
    seq: int = Field(ge=1, le=_LARGEST)
    verdict: Literal[Kind.PASS, Kind.FAIL]
    operator: Name
    note: Note = ""


class _RecipeRequest(_StationRequest):
    recipe: RecipeKey | None = None  # left out: the one that the station runs
    version: int | None = Field(default=None, ge=1, le=_LARGEST)  # left out: its active one


class ActivateRecipe(_RecipeRequest):
    """Load and warm a recipe beside the one in use, and judge by it from a part on.

    Answered when that is done, or why not: then the one in use goes on. (OPC 40100-1 has two steps
    of it: PrepareRecipe loads, a Start method names the recipe.)
    """

    command: Literal[Command.ACTIVATE_RECIPE] = Command.ACTIVATE_RECIPE


class Shadow(_RecipeRequest):
    """Let a second recipe look at live frames when nothing waits, and decide nothing; or end it."""

    command: Literal[Command.SHADOW] = Command.SHADOW
    on: bool = True


class GetShadow(_StationRequest):
    """How the recipe in the shadow compares with the one that decides."""

    command: Literal[Command.GET_SHADOW] = Command.GET_SHADOW


class CollectFrames(_StationRequest):
    """Hand over the frames of the station's next parts, while it goes on inspecting them.

    ``good``: of parts that PASS, with all their views. ``all``: of whatever was inspected, whatever
    the verdict (calibration mode); verdicts are published as ever.
    """

    command: Literal[Command.COLLECT_FRAMES] = Command.COLLECT_FRAMES
    parts: int = Field(ge=1, le=100_000)
    which: Literal["good", "all"] = "good"


class TakeFrames(_Request):
    """Frames that were collected, as the further parts of the reply; ask again until it has ended.

    They are kept until a later request says that they have come, so that a lost reply loses none.
    """

    command: Literal[Command.TAKE_FRAMES] = Command.TAKE_FRAMES
    collection: Name
    after: int = Field(default=0, ge=0, le=_LARGEST)  # number of the last frame that has come
    limit: int = Field(default=1000, ge=0, le=1000)  # frames; 0: none now, and wait for me


class StopCollecting(_Request):
    command: Literal[Command.STOP_COLLECTING] = Command.STOP_COLLECTING
    collection: Name


class Challenged(Message):
    """A known reject, and what it was judged."""

    name: Name
    verdict: Kind
    seq: int | None = Field(default=None, ge=1, le=_LARGEST)  # of the verdict, where it was live
    score: float | None = None
    threshold: float | None = None


class Challenge(_StationRequest):
    """Known rejects were shown to a recipe: keep in the journal what they were judged.

    An alarm says so if not each was FAIL.
    """

    command: Literal[Command.CHALLENGE] = Command.CHALLENGE
    operator: Name
    recipe: Name
    recipe_version: int = Field(ge=1, le=_LARGEST)
    results: tuple[Challenged, ...] = Field(min_length=1, max_length=200)
    note: Note = ""


Request: TypeAlias = Union[  # noqa: UP007 (a name for pydantic)
    GetState,
    GetStatistics,
    ReplayFrom,
    Snapshot,
    AnnouncePart,
    SoftwareTrigger,
    StartJob,
    StopJob,
    ActivateRecipe,
    Shadow,
    GetShadow,
    Bypass,
    Override,
    CollectFrames,
    TakeFrames,
    StopCollecting,
    Challenge,
]
REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="command")])
CLASSES: dict[Command, type[_Request]] = {
    cls.model_fields["command"].default: cls for cls in get_args(Request)
}


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
