"""Every trigger that effad knows of ends in exactly one verdict."""

from daemon.ledger.account import unbalanced
from daemon.ledger.claim_file import FILE, ClaimFile, Left, LeftBehind, left_behind
from daemon.ledger.ledger import Ledger

__all__ = ["FILE", "ClaimFile", "Ledger", "Left", "LeftBehind", "left_behind", "unbalanced"]
