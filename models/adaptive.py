"""Where mode ``adaptive`` asks for native tiles: where the whole is least like good parts.

A tile's peak is the largest value of the whole's anomaly map in the tile's cells. Calibration sets
the level so that a stated share of the tiles of good parts is above it; a frame may ask for none,
or for all. On asked tiles both scales are fused as in a pyramid; elsewhere the whole stands alone,
below the level. So the saving is stated, and what is given up is known: a defect that the whole
does not see at all (``models.mode``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.calibration import AskLevel, RawMaps, ScaleRange, fuse
from models.geometry import CELLS, Tiles
from models.quantiles import quantile


@dataclass(frozen=True)
class Asking:
    """Picks the tiles of a frame that its whole asks for."""

    whole: ScaleRange
    alpha: float
    level: float

    def __call__(self, whole: RawMaps, tiles: Tiles, kept: Sequence[int]) -> tuple[int, ...]:
        """Give those of the tiles ``kept`` whose peak is above the level, or is no number.

        ``whole`` must be placed in the frame that ``tiles`` cut.
        """
        peaks = tile_peaks(whole, tiles, kept, self.whole, self.alpha)
        asked = ~(peaks <= self.level)
        return tuple(index for index, ask in zip(kept, asked.tolist(), strict=True) if ask)


def tile_peaks(
    whole: RawMaps, tiles: Tiles, kept: Sequence[int], scale: ScaleRange, alpha: float
) -> Tensor:
    """Give the peak of the whole's anomaly map in each tile of ``kept``, (N,) float32.

    Both must be placed in the same frame. The map is taken to the tiles' cells linearly.
    """
    anomaly = fuse({"whole": whole}, {"whole": scale}, alpha, {"whole": 1.0})
    values = anomaly.placement.onto(anomaly.values, tiles.placement)
    return torch.stack(
        [
            values[row : row + CELLS, column : column + CELLS].max()
            for row, column in tiles.chosen(kept)
        ]
    )


def ask_level(peaks: Sequence[Tensor], share: float) -> AskLevel:
    """Set the level that at most a share of good parts' tiles is above; peaks: a frame each."""
    return AskLevel(share=share, level=quantile(torch.cat(list(peaks)).numpy(), 1 - share))
