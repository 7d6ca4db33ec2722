"""Maps of overlapping tiles made one by smooth weights.

The autoencoder's answer depends on where its tile lies, so that the global map jumps where one tile
ends and the next begins. Where tiles overlap, each one's share falls to its border as a raised
cosine, and the shares add up to 1: half a tile apart (a stride of 112 pixels) nothing jumps. The
local map needs none of this: its cells are equal in every tile.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.geometry import CELLS, Cutting, Tiles


def falling(cells: int = CELLS) -> Tensor:
    """Give a tile's weights before they are shared out, (cells, cells) float32, all above 0."""
    line = torch.sin(torch.pi * (torch.arange(cells, dtype=torch.float64) + 0.5) / cells).square()
    return torch.outer(line, line).float()


def shares(tiles: Tiles, which: Sequence[int] | None = None) -> Tensor:
    """Give the share of each tile of ``which`` in each of its cells, (N, 56, 56) float32.

    Those of a cell add up to 1 over its tiles; a cell of one tile has exactly 1.
    """
    weight = falling()
    total = torch.zeros(tiles.lattice)
    origins = tiles.chosen(which)
    for row, column in origins:
        total[row : row + CELLS, column : column + CELLS] += weight
    found = torch.empty(len(origins), CELLS, CELLS)
    for share, (row, column) in zip(found, origins, strict=True):
        share.copy_(weight / total[row : row + CELLS, column : column + CELLS])
    return found


def blend(
    cutting: Cutting,
    maps: Tensor,
    which: Sequence[int] | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Blend maps of the tiles ``which``, (N, 56, 56), to the map of the frame, (rows, columns).

    By default all tiles, and their ``shares``. Cells that no tile covers are 0.
    """
    if not isinstance(cutting, Tiles):
        return cutting.join(maps)
    if weights is None:
        weights = shares(cutting, which).to(maps.device)
    blended = maps.new_zeros(cutting.lattice)
    for (row, column), tile in zip(cutting.chosen(which), maps * weights, strict=True):
        blended[row : row + CELLS, column : column + CELLS] += tile
    return blended[: cutting.cells[0], : cutting.cells[1]]
