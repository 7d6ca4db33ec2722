"""A frame on its way through the daemon."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.claims import Claim
from models.pixel_format import PixelFormat


class Lease:
    """A slot that several look at; it becomes free when the last of them lets go."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self._lock = threading.Lock()
        self._holders = 1

    def share(self) -> "Lease":
        """Take part in holding; each share is let go once."""
        with self._lock:
            if self._holders == 0:
                raise RuntimeError("this slot is free again, and may hold another frame")
            self._holders += 1
        return self

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            left = self._holders
        if left < 0:
            raise RuntimeError("a slot was let go twice")
        if left == 0:
            self._give_back()


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame in a slot of shared memory, and the claim that its result resolves."""

    claim: Claim
    pixels: NDArray[np.uint8] | NDArray[np.uint16]  # shaped as its format says
    pixel_format: PixelFormat
    lease: Lease  # ``pixels`` are dead once it is let go
