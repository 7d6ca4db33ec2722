"""Checkpoints of a run, so that a stopped one goes on."""

import io
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
            state = torch.load(self.path, map_location="cpu", weights_only=True)
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
        """Replace the file, which is on disk when this returns.

        Raises ``InputError`` if it cannot be written; the old file is then as it was.
        """
        content = io.BytesIO()  # torch.save itself does not tell why a file could not be written
        torch.save({"settings": self.settings, **state}, content)
        partial = self.path.with_name(self.path.name + ".partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            kept = "; the last checkpoint is kept" if self.path.exists() else ""
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); make room, start again{kept}"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
