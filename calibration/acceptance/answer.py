"""What acceptance answers, with the numbers behind it."""

from enum import StrEnum

from pydantic import Field

from models.bundle import Separation
from models.records import Record


class Answer(StrEnum):
    RECALIBRATED = "RECALIBRATED"
    LIGHTING_CHANGED = "LIGHTING_CHANGED"
    NEEDS_RETRAINING = "NEEDS_RETRAINING"
    SUSPECT_PARTS = "SUSPECT_PARTS"

    @property
    def says(self) -> str:
        """What the process engineer is told, in a line."""
        return _SAYS[self]


_SAYS = {
    Answer.RECALIBRATED: "the good parts look as at training, and the recipe fits them again",
    Answer.LIGHTING_CHANGED: "light, focus or surface are not those of training; put them back, or"
    " accept the calibration by --yes if they are to stay",
    Answer.NEEDS_RETRAINING: "this is not what the bundle was trained on; train one on these parts"
    " by effad-train run",
    Answer.SUSPECT_PARTS: "some of the frames look defective, and would be taken for good; look at"
    " them, and calibrate again without them",
}


class Check(Record):
    """One number that was held against the bundle's training reference."""

    name: str
    value: float
    reference: float | None = None  # None: the bundle has none
    limit: str  # what is allowed, in words
    ok: bool
    fails: Answer | None = None  # what it speaks for; None where it is ok
    says: str = ""  # what follows where it is not ok
    by_few: bool = False  # a few frames that are not good can make it fail


class Suspect(Record):
    """A frame that stands out among those shown."""

    name: str
    digest: str
    part: str
    score: float
    says: str  # why: the chance that a good frame scores as high, or cells far above training's


class SpoiltFrame(Record):
    """A good frame with a synthetic defect."""

    name: str
    digest: str  # of the good frame
    kind: str
    score: float
    found: bool  # at or above the new threshold


class Acceptance(Record):
    """The answer and all that it was told from."""

    answer: Answer
    checks: tuple[Check, ...]
    suspects: tuple[Suspect, ...] = ()  # the most unusual first
    separation: Separation | None = None  # None: too few frames to put defects into
    spoilt: tuple[SpoiltFrame, ...] = ()
    frames: int = Field(ge=1)  # shown

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)
