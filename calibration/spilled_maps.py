"""Raw maps of many frames, spilled."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.spill import Spill
from models.calibration import RawMaps
from models.engine import Engine

#: What the maps of all frames of an engine have in common, a scale each: the maps are empty.
MapLayout = Mapping[str, RawMaps]


def map_layout(engine: Engine, height: int, width: int) -> MapLayout:
    """Give how an engine that asks for all tiles lays out its maps of frames (height, width)."""
    layout = engine.scope.lay(*engine.scope.size(height, width))
    box = engine.scope.region
    top, left = (box.y, box.x) if box is not None else (0, 0)
    nothing = torch.empty(0)
    found: dict[str, RawMaps] = {}
    for name in engine.mode.scales:
        whole = name == "whole"
        found[name] = RawMaps(
            nothing,
            nothing,
            (layout.whole if whole else layout.base).placement.shifted(top, left),
            computed=None if whole else layout.everything.computed,
            ignored=layout.ignored_whole if whole else layout.ignored_base,
        )
    return found


def record_size(layout: MapLayout) -> int:
    """Give the bytes of a frame's maps."""
    return sum(2 * 4 * _cells(raw) for raw in layout.values())


class SpilledMaps:
    """The maps of each frame, by its slot."""

    def __init__(self, spill: Spill, layout: MapLayout) -> None:
        self._spill = spill
        self._layout = layout

    def write(self, slot: int, maps: Mapping[str, RawMaps]) -> None:
        """Keep a frame's maps; raises ``InputError`` if the disk is full."""
        self._spill.write(slot, *(m.numpy() for name in self._layout for m in maps[name][:2]))

    def read(self, slot: int) -> dict[str, RawMaps]:
        """Give them back, bit for bit."""
        values: NDArray[np.float32] = self._spill.read(slot).view(np.float32)
        found, at = {}, 0
        for name, raw in self._layout.items():
            size, shape = _cells(raw), raw.placement.cells
            local, globally = (
                torch.from_numpy(values[start : start + size].reshape(shape))
                for start in (at, at + size)
            )
            found[name] = raw._replace(local=local, globally=globally)
            at += 2 * size
        return found


def _cells(raw: RawMaps) -> int:
    rows, columns = raw.placement.cells
    return rows * columns
