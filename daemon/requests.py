"""What effad is asked on its control socket: a closed set, as messages are.

Commands are named as the methods of OPC 40100-1 where it has one.
"""

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, Union, get_args

from pydantic import Field, TypeAdapter

from daemon.messages import Kind, Message, Part

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
