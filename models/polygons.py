"""Polygons of frame pixels, and the mask that they make.

Pixel (column x, row y) is the square from (x, y) to (x + 1, y + 1), as LabelMe draws it, and lies
in a polygon if its centre (x + 0.5, y + 0.5) does, by the even-odd rule. A centre on a border
belongs to the area on its right, or below: of two polygons that share a border each pixel is in
exactly one. cv2.fillPoly is not used: it takes the border's pixels as well, half a pixel on every
side, and its rounding is a version's own, while a mask decides whether a threshold is valid.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.region import Mask

_Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Point: TypeAlias = tuple[_Coordinate, _Coordinate]  # (x, y), frame pixels
Polygon = Annotated[tuple[Point, ...], Field(min_length=3, max_length=10_000)]


def inside(polygons: Sequence[tuple[Point, ...]], height: int, width: int) -> Mask:
    """Tell which pixels of a frame lie in at least one polygon: (height, width)."""
    found = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        found |= _inside_one(polygon, height, width)
    return found


def _inside_one(polygon: tuple[Point, ...], height: int, width: int) -> Mask:
    # A border crossed turns outside to inside: mark the first pixel right of each crossing.
    turns = np.zeros((height, width + 1), np.bool_)
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        (x_top, top), (x_bottom, bottom) = sorted([(x0, y0), (x1, y1)], key=lambda point: point[1])
        # Rows whose centre is at or below the upper end, and above the lower one.
        first, behind = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (top, bottom))
        if first >= behind:
            continue
        rows: NDArray[np.intp] = np.arange(first, behind)
        crossing = x_top + (rows + 0.5 - top) * ((x_bottom - x_top) / (bottom - top))
        turns[rows, np.ceil(crossing - 0.5).clip(0, width).astype(np.intp)] ^= True
    return np.logical_xor.accumulate(turns, axis=1)[:, :width]


def mask_sha256(mask: Mask | None) -> str | None:
    """Name a mask by its shape and pixels, however it was drawn; None without one."""
    if mask is None:
        return None
    height, width = mask.shape
    packed = np.packbits(mask, axis=1).tobytes()
    return hashlib.sha256(f"{height} x {width}\n".encode() + packed).hexdigest()
