"""What of a frame an engine looks at, and how that lies in tiles and cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from models.blending import shares
from models.calibration import RawMaps
from models.errors import InputError
from models.geometry import STRIDE, Box, Tiles, TileStride, Whole
from models.mode import Mode
from models.region import Mask, ignored_cells, kept_tiles, within

#: From the whole's maps to which of the kept tiles are asked for (``models.adaptive.Asking``).
Asks: TypeAlias = Callable[[RawMaps, Tiles, Sequence[int]], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Scope:
    """A recipe's part in what an engine computes."""

    mode: Mode | None = None  # None: the bundle's
    region: Box | None = None  # of interest
    ignored: Mask | None = None  # (H, W) of the frame
    tile_stride: TileStride = STRIDE
    asks: Asks | None = None  # of mode adaptive; None: all tiles, as calibration begins

    def check(self, height: int, width: int) -> None:
        """Raise ``InputError`` unless region and mask leave something of a frame of this size."""
        box = self.region
        if box is not None and (box.x + box.width > width or box.y + box.height > height):
            raise InputError(
                f"region_of_interest {box.width} x {box.height} at ({box.x}, {box.y}) leaves the"
                f" frame of {width} x {height} pixels; correct it in the recipe"
            )
        if self.ignored is None:
            return
        if self.ignored.shape != (height, width):
            raise InputError(
                f"the ignore mask has {self.ignored.shape[1]} x {self.ignored.shape[0]} pixels, and"
                f" the frame {width} x {height}; draw it on a frame of this camera"
            )
        within(self.ignored, box)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Give (height, width) of what the region leaves of a frame of this size."""
        return (height, width) if self.region is None else (self.region.height, self.region.width)

    def lay(self, height: int, width: int) -> "Layout":
        """Lay out tiles and cells over what the region leaves of a frame: (height, width)."""
        ignored = None if self.ignored is None else within(self.ignored, self.region)
        whole, base = Whole(height, width), Tiles(height, width)
        return Layout(
            whole=whole,
            base=base,
            fine=replace(base, stride=self.tile_stride),
            kept=kept_tiles(base, ignored),
            ignored_whole=_cells(whole, ignored),
            ignored_base=_cells(base, ignored),
        )


class Plan(NamedTuple):
    """Which tiles run, and how their global maps become one."""

    base: tuple[int, ...]  # of the lattice of stride 224: all networks
    fine: tuple[int, ...]  # of the finer lattice: the autoencoder
    shares: Tensor  # of the fine tiles, (N, 56, 56)
    computed: Tensor | None  # cells, (rows, columns) bool; None: all


@dataclass(frozen=True, eq=False)
class Layout:
    """Tiles and cells within the region of interest."""

    whole: Whole
    base: Tiles
    fine: Tiles
    kept: tuple[int, ...]  # tiles of ``base`` that are not ignored
    ignored_whole: Tensor | None  # (56, 56) bool
    ignored_base: Tensor | None  # (rows, columns) bool

    @cached_property
    def everything(self) -> Plan:
        """All tiles that are not ignored."""
        return self.plan(self.kept)

    def plan(self, which: tuple[int, ...]) -> Plan:
        """Plan the tiles ``which`` of ``base``, with those finer ones that lie in their cells."""
        covered = self.base.covered(which)
        fine = self.fine.inside(covered)
        return Plan(which, fine, shares(self.fine, fine), None if covered.all() else covered)


def _cells(cutting: Whole | Tiles, ignored: Mask | None) -> Tensor | None:
    if ignored is None:
        return None
    return torch.from_numpy(ignored_cells(cutting.placement, ignored))
