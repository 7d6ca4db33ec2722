"""The journal: every verdict is in it before it is published."""

from daemon.journal.entries import (
    AuditEntry,
    ChallengeEntry,
    Durability,
    Entry,
    JournalError,
    LateResult,
    OperatorWord,
    PreviousEnd,
)
from daemon.journal.files import default_folder
from daemon.journal.keeper import Keeper, Retention
from daemon.journal.reader import JournalReader, Replay, historical
from daemon.journal.store import Journal

__all__ = [
    "AuditEntry",
    "ChallengeEntry",
    "Durability",
    "Entry",
    "Journal",
    "JournalError",
    "JournalReader",
    "Keeper",
    "LateResult",
    "OperatorWord",
    "PreviousEnd",
    "Replay",
    "Retention",
    "default_folder",
    "historical",
]
