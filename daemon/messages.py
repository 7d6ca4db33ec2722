"""Everything that effad says on its sockets: a closed set of frozen messages.

Their JSON Schema is the wire's documentation. Times are nanoseconds of the Unix epoch (host
clock) unless a name says otherwise; pixel coordinates are (x, y) of the frame as the camera sent
it. A number that is not known is null, never 0.
"""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

#: What ``v`` of each message says.
PROTOCOL = 1


class Kind(StrEnum):
    """What effad says of a part. NO_VERDICT counts as a reject on the line."""

    PASS = "PASS"  # noqa: S105 (no password)
    FAIL = "FAIL"
    NO_VERDICT = "NO_VERDICT"


class Reason(StrEnum):
    """Why a trigger ended without PASS or FAIL."""

    FRAME_LOST = "frame_lost"  # a trigger was counted or a FrameID skipped, and no frame came
    INCOMPLETE = "incomplete"  # the buffer says it is incomplete, or holds too few bytes
    #: Width, height or pixel format are not the recipe's, or the camera was being set for another.
    INVALID = "invalid"
    OVERRUN = "overrun"  # no free slot
    LATE = "late"  # the deadline passed before the result
    MODEL_ERROR = "model_error"  # inference failed
    CAMERA_DOWN = "camera_down"  # the camera or its process was away
    SHUTDOWN = "shutdown"  # open when the daemon was told to stop
    RESTART = "restart"  # open when the daemon was killed
    NO_RECIPE = "no_recipe"  # the station has none


class State(StrEnum):
    """States of OPC 40100-1 (OPC UA for Machine Vision)."""

    PREOPERATIONAL = "Preoperational"
    INITIALIZED = "Initialized"
    READY = "Ready"
    SINGLE_EXECUTION = "SingleExecution"
    CONTINUOUS_EXECUTION = "ContinuousExecution"
    ERROR = "Error"


class TriggerSource(StrEnum):
    """What makes the camera take a frame."""

    FREE_RUN = "free_run"
    SOFTWARE = "software"
    HARDWARE = "hardware"


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(Message):
    """The PLC's own names of a part, where it gave some."""

    id: str | None = Field(default=None, max_length=256)
    lot: str | None = Field(default=None, max_length=256)
    serial: str | None = Field(default=None, max_length=256)


class Region(Message):
    """A connected area of the anomaly map above the pixel threshold, in frame pixels."""

    x: float  # box: left, top, width, height
    y: float
    width: float
    height: float
    area: float  # square pixels
    centroid: tuple[float, float]  # (x, y)
    peak: float  # largest value of the anomaly map within
    peak_at: tuple[float, float]  # (x, y)


class View(Message):
    """What one camera of the station had to say of the part."""

    camera: str
    trigger: int | None  # the camera's trigger counter, or its FrameIDs counted on over restarts
    frame_id: int | None  # as the camera gave it
    verdict: Kind
    reason: Reason | None = None  # if NO_VERDICT
    detail: str | None = None  # what exactly, for a person
    score: float | None = None  # the anomaly map's maximum
    regions: tuple[Region, ...] = ()  # largest peak first
    device_ns: int | None = None  # the camera's own clock, whatever its epoch
    exposed_ns: int | None = None  # when it was taken, by the camera's clock brought to the host's
    received_ns: int | None = None  # when the frame left the driver
    inferred_ns: int | None = None  # when its map was ready


class Verdict(Message):
    """Sent on ``verdict/<station>/``: exactly one for each trigger.

    Of a part with several views also on ``partial/<station>/`` as they come in, with ``isPartial``
    and the same ``seq``: FAIL as soon as a view decides that, else NO_VERDICT without a reason.
    """

    v: Literal[1] = 1
    epoch: int  # of this daemon's run: the ns of its start
    seq: int  # counts the verdicts of a station without a hole
    station: str
    part: Part
    trigger_source: TriggerSource
    verdict: Kind
    reason: Reason | None  # if NO_VERDICT: of the first view that has one
    bypassed: bool = False  # PASS without a look at it, as somebody with the right to it wanted
    score: float | None  # largest of the views
    threshold: float | None
    views: tuple[View, ...]
    recipe: str | None  # these five: null where the station has no recipe
    recipe_version: int | None
    bundle: str | None  # SHA-256 of its manifest
    calibration: str | None  # SHA-256 of its record
    engine: str | None  # fingerprint
    code: str  # version of effad
    triggered_ns: int  # exposure of its first frame; without a frame, when the trigger was known
    published_ns: int
    resultId: str
    jobId: str
    isPartial: bool = False
    historical: bool = False  # replayed from the journal


class MapEncoding(StrEnum):
    RAW = "raw"  # little-endian float16, row by row
    PNG = "png"  # 8-bit grey: value = code / 255 * scale, clipped


class PixelInfo(Message):
    """How the pixels of a frame lie in memory: as the camera sent them."""

    pixel_format: str  # GenICam PFNC name
    dtype: Literal["uint8", "uint16"]  # little-endian
    shape: tuple[int, ...]  # (height, width), or (height, width, 3)


class Map(Message):
    """Sent on ``map/<station>/<camera>/`` with the anomaly map as the third part."""

    v: Literal[1] = 1
    epoch: int
    seq: int  # of its verdict
    station: str
    camera: str
    score: float
    threshold: float
    encoding: MapEncoding
    dtype: Literal["float16", "uint8"]
    shape: tuple[int, int]  # (rows, columns) of cells
    scale: float  # value of code 255 for PNG, else 1
    first: tuple[float, float]  # (x, y) of the first cell's centre, frame pixels
    step: tuple[float, float]  # (x, y) from cell to cell, frame pixels
    frame: tuple[int, int]  # (width, height), pixels


class Counts(Message):
    """A station's account in this epoch.

    ``triggers = passed + failed + no_verdict + open``, always; what is not so is an alarm.
    """

    triggers: int = 0
    passed: int = 0
    failed: int = 0
    no_verdict: int = 0
    open: int = 0  # known, and not yet published
    bypassed: int = 0  # of those passed


class Heartbeat(Message):
    """Sent on ``heartbeat/`` at a fixed period, so that a lost last verdict is seen."""

    v: Literal[1] = 1
    epoch: int
    time_ns: int
    state: State
    seq: dict[str, int]  # last of each station, 0 if none
    counts: dict[str, Counts]


class StateChange(Message):
    """Sent on ``state/``; who subscribes late gets the last one."""

    v: Literal[1] = 1
    epoch: int
    time_ns: int
    state: State
    text: str


class AlarmCode(StrEnum):
    CAMERA_DOWN = "camera_down"
    CAMERA_UP = "camera_up"
    UNACCOUNTED_INTERVAL = "unaccounted_interval"  # nothing could count its triggers
    INVARIANT = "invariant"  # the account does not add up; the state is Error from now on
    JOURNAL = "journal"  # a damaged journal was set aside
    BYPASS = "bypass"  # parts pass uninspected; repeated as long as it lasts
    BYPASS_OFF = "bypass_off"
    OUTPUT = "output"  # a good part's pulse came too late for the gate, and was not given
    ARCHIVE = "archive"  # images were not kept
    CALIBRATION = "calibration"  # frames are handed over for a calibration, verdicts go on
    CALIBRATION_OFF = "calibration_off"
    RECIPE = "recipe"  # another one judges a station's parts from now on
    DRIFT = "drift"  # good parts look otherwise than at the calibration; repeated while they do
    DRIFT_OFF = "drift_off"
    CHALLENGE = "challenge"  # known rejects were shown, and not each was FAIL


class Alarm(Message):
    """Sent on ``alarm/``, and kept in the journal."""

    v: Literal[1] = 1
    epoch: int
    time_ns: int
    code: AlarmCode
    station: str | None = None
    camera: str | None = None
    text: str
    since_ns: int | None = None  # bounds of an interval
    until_ns: int | None = None
