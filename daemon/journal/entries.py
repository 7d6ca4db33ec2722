"""What is kept in the journal: verdicts, and what was said beside them."""

from dataclasses import dataclass
from typing import Literal

from daemon.messages import Kind, Region, Verdict

#: What a commit survives once it returned: the death of the process, or a power cut as well.
Durability = Literal["process", "power"]


class JournalError(Exception):
    """The journal cannot be written (disk full, read-only, locked); nothing of the call is in it.

    Its message is one line.
    """


@dataclass(frozen=True, slots=True)
class Entry:
    """A verdict to be journaled."""

    verdict: Verdict
    header: bytes  # the JSON exactly as it will be published


@dataclass(frozen=True, slots=True)
class LateResult:
    """A result that came after its NO_VERDICT(late): kept beside it, never sent."""

    station: str
    seq: int
    camera: str
    verdict: Kind
    score: float
    regions: tuple[Region, ...]
    inferred_ns: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who commanded what, and whether it was done."""

    time_ns: int
    peer: str  # name of the key, and the address
    command: str
    station: str | None
    request: str  # JSON; what is longer than ``REQUEST_LIMIT`` characters is cut
    ok: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """What an operator says of a verdict; the verdict stays what it was."""

    station: str
    seq: int
    verdict: Kind  # PASS or FAIL
    operator: str
    note: str
    time_ns: int
    peer: str


@dataclass(frozen=True, slots=True)
class ChallengeEntry:
    """Known rejects that were shown to a station's recipe, and what became of them."""

    time_ns: int
    station: str
    operator: str
    recipe: str
    recipe_version: int
    shown: int
    missed: int  # that were not FAIL
    results: str  # JSON, a list in the order shown
    note: str
    peer: str


@dataclass(frozen=True, slots=True)
class PreviousEnd:
    """How the epoch before this one ended."""

    epoch: int
    orderly: bool  # ``Journal.ended`` was called
    newest_ns: int  # of its end, or else the newest time that it left: it lived at least so long


#: Characters of an audited request that are kept.
REQUEST_LIMIT = 1000
