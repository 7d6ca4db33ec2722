"""What a distillation is asked for, checked."""

import math
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError
from models.geometry import CELLS
from models.pdn import CHANNELS, PdnSize
from models.precision import Precision


@dataclass(frozen=True)
class DistillSettings:
    """Raises ``InputError`` for what no run can have."""

    images: Path
    size: PdnSize = PdnSize.SMALL
    channels: int = CHANNELS
    steps: int = 60_000
    cooldown: float = 0.2  # share of the steps in which the rate comes down
    batch: int = 16  # of all ranks together
    rate: float = 1e-4
    seed: int = 0
    views: int = 0  # fixed views of an image, whose features are kept on disk; 0: always new ones
    cells: int = CELLS  # side of the window of each view that is trained on
    precision: Precision = Precision.FP32
    checkpoint_every: int = 100  # steps
    snapshots: int = 0  # steps from one snapshot to the next; 0: none

    def __post_init__(self) -> None:
        for name, least in (
            ("channels", 1),
            ("steps", 1),
            ("batch", 1),
            ("seed", 0),
            ("views", 0),
            ("checkpoint_every", 1),
            ("snapshots", 0),
        ):
            if (value := getattr(self, name)) < least:
                raise InputError(f"{name} = {value}: must be {least} or more")
        if not 0 < self.rate < math.inf:
            raise InputError(f"rate = {self.rate}: must be above 0; 1e-4 is the thesis'")
        if not 1 <= self.cells <= CELLS:
            raise InputError(f"cells = {self.cells}: must be 1 to {CELLS}")
        if not 0 <= self.cooldown <= 1:
            raise InputError(f"cooldown = {self.cooldown}: must be 0 to 1")

    def rate_at(self, step: int) -> float:
        """Warm up over 50 steps, hold, and come down by a cosine over the last share of them."""
        warm = min(1.0, (step + 1) / 50)
        left = (self.steps - step) / max(1.0, self.cooldown * self.steps)
        return self.rate * warm * (1.0 if left >= 1 else 0.5 - 0.5 * math.cos(math.pi * left))
