"""What of a frame is inspected: region of interest and ignore mask, told in tiles and cells.

An ignore mask is a PNG as large as the frame: white is no part, or not to be inspected. A cell is
ignored if all the pixels that it answers for are, a tile if all of its cells are. A cell beside the
mask still sees 16 pixels into it: who draws a mask adds as much.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.geometry import CELLS, STEP, Box, Cutting, Placement, Tiles

Mask = NDArray[np.bool_]  # (H, W), True where a frame is not inspected


def read_mask(path: Path, height: int, width: int) -> Mask:
    """Read an ignore mask: True where it is white (128 or more of 255).

    Raises ``InputError`` if it cannot be read, is of another size, or leaves nothing to inspect.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    if grey is None:
        raise InputError(f"{path}: not a readable image; save the ignore mask again, as PNG")
    if grey.shape != (height, width):
        raise InputError(
            f"{path}: {grey.shape[1]} x {grey.shape[0]} pixels; an ignore mask must be as large as"
            f" the frame, {width} x {height}"
        )
    ignored: Mask = grey >= 128
    if ignored.all():
        raise InputError(
            f"{path}: white everywhere, so that nothing is inspected; white is ignored"
        )
    return ignored


def within(mask: Mask, box: Box | None) -> Mask:
    """Cut a frame's mask to a region of interest; raises ``InputError`` if all of that is ignored.

    The box must lie in the frame.
    """
    if box is None:
        return mask
    cut = mask[box.y : box.y + box.height, box.x : box.x + box.width]
    if cut.all():
        raise InputError(
            f"the ignore mask covers all of the region_of_interest, {box.width} x {box.height} at"
            f" ({box.x}, {box.y}); correct one of them"
        )
    return cut


def ignored_cells(placement: Placement, ignored: Mask) -> Mask:
    """Tell which cells are ignored: (rows, columns), True where every pixel of a cell is.

    ``placement`` is within the mask's frame. A pixel belongs to the nearest cell, beyond the
    outermost centres to the outermost cell; a cell that is nobody's nearest has the pixel below it.
    """
    top, bottom = _spans(placement, 0, ignored.shape[0])
    left, right = _spans(placement, 1, ignored.shape[1])
    # Inspected pixels above and left of each pixel corner.
    table: NDArray[np.int64] = np.pad(
        np.cumsum(np.cumsum(~ignored, axis=0), axis=1), ((1, 0), (1, 0))
    )
    rows: NDArray[np.int64] = table[bottom] - table[top]
    return np.asarray(rows[:, right] == rows[:, left])


def _spans(
    placement: Placement, axis: int, pixels: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the first pixel of each cell along an axis, and the first behind it."""
    first, step, cells = placement.first[axis], placement.step[axis], placement.cells[axis]
    borders = np.ceil(first + step * (np.arange(cells + 1) - 0.5)).clip(0, pixels).astype(np.intp)
    borders[0], borders[-1] = 0, pixels
    start, end = borders[:-1], borders[1:]
    below = np.floor(first + step * np.arange(cells) + 0.5).clip(0, pixels - 1).astype(np.intp)
    empty = end <= start
    return np.where(empty, below, start), np.where(empty, below + 1, end)


def kept_tiles(cutting: Cutting, ignored: Mask | None) -> tuple[int, ...]:
    """Give the indices of the tiles that have a part in them: those not ignored as a whole.

    ``ignored`` is of the size that ``cutting`` cuts, (height, width): a region of interest has
    been cut out of it. Never empty unless the mask leaves nothing.
    """
    if ignored is None:
        return tuple(range(cutting.tiles))
    if ignored.shape != (cutting.height, cutting.width):
        raise ValueError(f"a mask of {ignored.shape} for frames of {cutting.height, cutting.width}")
    if not isinstance(cutting, Tiles):
        return () if ignored.all() else (0,)
    return tuple(
        index
        for index, (row, column) in enumerate(cutting.origins)
        if not ignored[
            STEP * row : STEP * (row + CELLS), STEP * column : STEP * (column + CELLS)
        ].all()
    )
