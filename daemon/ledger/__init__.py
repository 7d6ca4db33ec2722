"""Every trigger that effad knows of ends in exactly one verdict."""

from daemon.ledger.claim_file import FILE, ClaimFile, Left, LeftBehind, left_behind
from daemon.ledger.ledger import Ledger
from daemon.ledger.station import unbalanced

__all__ = ["FILE", "ClaimFile", "Ledger", "Left", "LeftBehind", "left_behind", "unbalanced"]
