"""What replies tell of recipes."""

from daemon.messages import Message


class RecipeInUse(Message):
    """What judges a station's parts that become known from now on."""

    recipe: str
    number: int | None = None  # what PLCs call it
    version: int
    bundle: str  # SHA-256 of its manifest
    calibration: str  # SHA-256 of its record
    engine: str  # fingerprint


class ScoreQuantiles(Message):
    """Of the newest parts' scores that were compared, at most 10000; null while there are none."""

    threshold: float
    q50: float | None = None
    q90: float | None = None
    q99: float | None = None
    maximum: float | None = None


class ShadowReport(Message):
    """How a recipe that looked on compares with those that decided, in parts."""

    station: str
    shadow: RecipeInUse
    since_ns: int  # Unix epoch
    compared: int
    both_pass: int
    both_fail: int
    only_deciding_fails: int
    only_shadow_fails: int
    #: Not compared: the line had other work, a view was missing, or the shadow's model failed.
    skipped: int
    failed: int
    agreement: float | None = None  # share of the compared
    deciding_scores: ScoreQuantiles
    shadow_scores: ScoreQuantiles
    #: The recipe sets the cameras otherwise than they are: activated, it would see other frames.
    other_camera_parameters: bool = False


class Activated(Message):
    """A recipe that judges a station's parts now."""

    station: str
    now: RecipeInUse
    before: RecipeInUse | None = None  # None: the station had none
    first: int | None = None  # seq of the first part that it judges; None: no job runs
    loading_ms: float
    #: Of that the time between the last part that is judged as before and the first that is not.
    switching_ms: float
    shadow: ShadowReport | None = None  # the station's shadow, which has ended with this
