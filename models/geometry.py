"""Where tiles and cells lie in a frame (DESIGN.md section 5).

Without padding a PDN's cell i sees the pixels 4 i to 4 i + 32 of its tile, so its centre is pixel
4 i + 16, and a 256 x 256 tile gives 56 x 56 cells. Tiles whose origins are multiples of 4 pixels
therefore share one lattice of cells, and abut exactly at a stride of 224 = 4 x 56.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from models.records import Record

TILE = 256  # pixels
CELLS = 56  # a side of a tile
STEP = 4  # pixels from cell to cell
TileStride = Literal[224, 112, 56]  # pixels; each lattice of tiles holds the coarser ones
STRIDE: TileStride = 224  # from tile to tile where their cells abut: STEP * CELLS
CENTRE = 16  # pixels from a tile's border to the centre of its first cell
#: Reflected pixels above and left of a frame: the first cell's centre is then frame pixel 2,
#: and cell i is centred on the pixels 4 i to 4 i + 3 that it answers for.
BORDER = 14


class Box(Record):
    """A rectangle of frame pixels."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=32)
    height: int = Field(ge=32)


@dataclass(frozen=True)
class Placement:
    """Where the cells of a map lie in the frame. All tuples are (y, x).

    Coordinates are of pixel centres: the frame's first pixel is at (0, 0).
    """

    first: tuple[float, float]  # centre of cell (0, 0), frame pixels
    step: tuple[float, float]  # from cell to cell, frame pixels
    cells: tuple[int, int]  # shape of the map

    def centre(self, cell: tuple[float, float]) -> tuple[float, float]:
        """Give the frame pixel at the centre of a (fractional) cell."""
        (y0, x0), (dy, dx) = self.first, self.step
        return y0 + cell[0] * dy, x0 + cell[1] * dx

    @property
    def area(self) -> float:
        """Frame pixels that the cells answer for."""
        (dy, dx), (rows, columns) = self.step, self.cells
        return dy * rows * dx * columns

    def shifted(self, y: int, x: int) -> "Placement":
        """Give the same cells in a frame of which this one was cut at pixel (y, x)."""
        return replace(self, first=(self.first[0] + y, self.first[1] + x))

    def onto(self, values: Tensor, other: "Placement") -> Tensor:
        """Resample a map of these cells, (..., h, w), at the cell centres of another placement.

        Linear between centres, the edge cells repeated outwards; values are never exceeded.
        """
        for axis in (0, 1):
            centres = other.first[axis] + other.step[axis] * torch.arange(
                other.cells[axis], dtype=torch.float64
            )
            position = ((centres - self.first[axis]) / self.step[axis]).clamp(
                0, self.cells[axis] - 1
            )
            low = position.floor().long().clamp(max=max(self.cells[axis] - 2, 0))
            high = (low + 1).clamp(max=self.cells[axis] - 1)
            weight = (position - low).to(values.dtype).to(values.device)
            if axis == 0:
                weight = weight[:, None]
            below = values.index_select(axis - 2, low.to(values.device))
            above = values.index_select(axis - 2, high.to(values.device))
            values = torch.lerp(below, above, weight)
        return values

    def to_pixels(self, values: Tensor, frame: tuple[int, int]) -> Tensor:
        """Bring a map of these cells, (..., h, w), to the pixels of a frame, (..., H, W)."""
        return self.onto(values, Placement((0.0, 0.0), (1.0, 1.0), frame))


@dataclass(frozen=True)
class Whole:
    """The whole frame resized to one tile: the thesis' evaluation, a view of the whole part."""

    height: int  # frame pixels
    width: int

    @property
    def tiles(self) -> int:
        return 1

    @property
    def placement(self) -> Placement:
        dy, dx = self.height / TILE, self.width / TILE
        # Resizing maps tile coordinate t to frame coordinate (t + 1/2) d - 1/2.
        return Placement(
            first=((CENTRE + 0.5) * dy - 0.5, (CENTRE + 0.5) * dx - 0.5),
            step=(STEP * dy, STEP * dx),
            cells=(CELLS, CELLS),
        )

    def cut(self, frame: Tensor) -> Tensor:
        """Cut (3, H, W) float into (1, 3, 256, 256), low-pass filtered where that shrinks it."""
        if frame.shape[-2:] == (TILE, TILE):
            return frame[None]
        return functional.interpolate(
            frame[None], size=(TILE, TILE), mode="bilinear", align_corners=False, antialias=True
        )

    def join(self, maps: Tensor) -> Tensor:
        """Join maps of the tiles, (1, 56, 56), to the map of the frame, (56, 56)."""
        return maps[0]


@dataclass(frozen=True)
class Tiles:
    """The frame at native resolution: every pixel is answered for by one cell of the local map.

    The last tile of a row or column is moved back onto the lattice's end rather than filled with
    reflected pixels, which the autoencoder has never seen; teacher and student do not care.
    Below a stride of 224 pixels tiles overlap, for the global map's sake (``models.blending``).
    """

    height: int  # frame pixels
    width: int
    stride: TileStride = STRIDE

    @property
    def cells(self) -> tuple[int, int]:
        """Cells that answer for the frame's pixels, 4 x 4 pixels each."""
        return -(-self.height // STEP), -(-self.width // STEP)

    @property
    def origins(self) -> tuple[tuple[int, int], ...]:
        """First cell (row, column) of each tile, row by row."""
        rows, columns = (_starts(n, self.stride // STEP) for n in self.cells)
        return tuple((row, column) for row in rows for column in columns)

    @property
    def tiles(self) -> int:
        return len(self.origins)

    @property
    def placement(self) -> Placement:
        first = float(CENTRE - BORDER)
        return Placement((first, first), (float(STEP), float(STEP)), self.cells)

    def pad(self, frame: Tensor) -> Tensor:
        """Reflect (3, H, W) outwards, again and again where it is small, so that cells cover it."""
        rows, columns = (source.to(frame.device) for source in self._sources)
        return frame.index_select(1, rows).index_select(2, columns)

    @property
    def _sources(self) -> tuple[Tensor, Tensor]:
        """Which row and column of the frame each one of the padded frame shows."""
        rows, columns = (
            _reflection(size, STEP * max(cells, CELLS) + TILE - STEP * CELLS)
            for size, cells in zip((self.height, self.width), self.cells, strict=True)
        )
        return rows, columns

    def cut(self, frame: Tensor, which: Sequence[int] | None = None) -> Tensor:
        """Cut (3, H, W) float into (N, 3, 256, 256): the tiles ``which``, by default all."""
        return torch.stack(list(self.pieces(frame, which)))

    def pieces(self, frame: Tensor, which: Sequence[int] | None = None) -> Iterator[Tensor]:
        """Yield the tiles ``which``, by default all, of (3, H, W): each (3, 256, 256)."""
        # Padding all of a frame would hold it twice: tiles that reach over its border are few.
        rows, columns = (source.to(frame.device) for source in self._sources)
        for row, column in self.chosen(which):
            top, left = STEP * row - BORDER, STEP * column - BORDER
            if 0 <= top <= self.height - TILE and 0 <= left <= self.width - TILE:
                yield frame[:, top : top + TILE, left : left + TILE]
            else:
                down = rows[STEP * row : STEP * row + TILE, None]
                yield frame[:, down, columns[STEP * column : STEP * column + TILE]]

    def join(self, maps: Tensor, which: Sequence[int] | None = None) -> Tensor:
        """Join maps of tiles, (N, 56, 56), to the map of the frame, (rows, columns).

        Cells that no tile of ``which``, by default all, covers are 0.
        """
        rows, columns = self.lattice
        joined = maps.new_zeros(rows, columns)
        for (row, column), tile in zip(self.chosen(which), maps, strict=True):
            joined[row : row + CELLS, column : column + CELLS] = tile
        return joined[: self.cells[0], : self.cells[1]]

    def covered(self, which: Sequence[int]) -> Tensor:
        """Tell which cells the tiles ``which`` cover: (rows, columns) bool."""
        every = torch.ones(len(which), CELLS, CELLS, dtype=torch.bool)
        return self.join(every, which)

    def inside(self, cells: Tensor) -> tuple[int, ...]:
        """Give the tiles whose every cell is set in (rows, columns) bool."""
        return tuple(
            index
            for index, (row, column) in enumerate(self.origins)
            if cells[row : row + CELLS, column : column + CELLS].all()
        )

    @property
    def lattice(self) -> tuple[int, int]:
        """Rows and columns of cells that tiles give: in a small frame more than answer for it."""
        rows, columns = (max(n, CELLS) for n in self.cells)
        return rows, columns

    def chosen(self, which: Sequence[int] | None) -> tuple[tuple[int, int], ...]:
        """Give the origins of the tiles ``which``, by default of all."""
        origins = self.origins
        return origins if which is None else tuple(origins[index] for index in which)


Cutting = Whole | Tiles


def _starts(cells: int, stride: int) -> Sequence[int]:
    """Give the first cell of each tile along one axis; the last tile ends with the last cell."""
    last = max(cells - CELLS, 0)
    return [*range(0, last, stride), last]


def _reflection(size: int, reach: int) -> Tensor:
    """Give the source index of each of ``reach`` pixels that start ``BORDER`` before an axis."""
    if size == 1:
        return torch.zeros(reach, dtype=torch.long)
    phase = (torch.arange(reach) - BORDER).remainder(2 * (size - 1))
    return torch.minimum(phase, 2 * (size - 1) - phase)
