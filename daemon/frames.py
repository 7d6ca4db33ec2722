"""A frame on its way through the daemon."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.claims import Claim
from models.pixel_format import PixelFormat


@dataclass(frozen=True)
class Frame:
    """A frame in a slot of shared memory, and the claim that its result resolves."""

    claim: Claim
    pixels: NDArray[np.uint8] | NDArray[np.uint16]  # shaped as its format says
    pixel_format: PixelFormat
    give_back: Callable[[], None]  # makes the slot free; ``pixels`` is dead from then on
