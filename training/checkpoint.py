"""Checkpoints of a run, so that a stopped one goes on."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from models.errors import InputError

#: What torch.load raises for a file that is damaged or no checkpoint at all.
UNREADABLE = (
    AssertionError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    UnpicklingError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """One file that is either the old state or the new, never half."""

    path: Path
    settings: str  # what the run was started with; another run must not go on from it

    def load(self) -> dict[str, Any] | None:
        """Load the state, or None where there is none.

        Raises ``InputError`` if it is of a run with other settings, or damaged.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, weights_only=True)
        except UNREADABLE as error:
            raise InputError(
                f"{self.path}: damaged checkpoint; remove it to begin again"
            ) from error
        if not isinstance(state, dict) or state.pop("settings", None) != self.settings:
            raise InputError(
                f"{self.path}: checkpoint of a run with other settings;"
                " repeat those, or remove it to begin again"
            )
        return state

    def save(self, state: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        torch.save({"settings": self.settings, **state}, partial)
        os.replace(partial, self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
