"""Regions that were drawn with LabelMe: its JSON file, read as polygons of frame pixels.

Its coordinates count from the outer corner of the first pixel, as ``models.polygons`` do.
"""

import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import InputError
from models.polygons import Point
from models.records import first_fault

INSPECT, IGNORE = "inspect", "ignore"
#: Pixels that the polygon of a circle lies off it at most.
_FLAT = 0.1


class _Shape(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    label: Literal["inspect", "ignore"]
    shape_type: Literal["polygon", "rectangle", "circle"] = "polygon"
    points: tuple[tuple[float, float], ...] = Field(max_length=10_000)


class _Drawing(BaseModel):
    """What effad takes of LabelMe's file; the rest, such as the image itself, is left."""

    imageWidth: int
    imageHeight: int
    shapes: tuple[_Shape, ...] = Field(min_length=1, max_length=1000)


def read(
    path: Path, height: int, width: int
) -> tuple[tuple[tuple[Point, ...], ...], tuple[tuple[Point, ...], ...]]:
    """Read the polygons labelled ``inspect``, and those labelled ``ignore``.

    Raises ``InputError`` if the file is damaged, was drawn on an image of another size than the
    recipe's frames, or has other labels or shapes than polygon, rectangle and circle.
    """
    try:
        drawing = _Drawing.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(
            f"{path}: {first_fault(error)}; effad reads LabelMe's polygons, rectangles and circles"
            f" labelled {INSPECT} or {IGNORE}"
        ) from error
    if (drawing.imageWidth, drawing.imageHeight) != (width, height):
        raise InputError(
            f"{path}: drawn on an image of {drawing.imageWidth} x {drawing.imageHeight} pixels, and"
            f" the recipe's frames have {width} x {height}; draw on a frame of this camera"
        )
    found: dict[str, list[tuple[Point, ...]]] = {INSPECT: [], IGNORE: []}
    for number, shape in enumerate(drawing.shapes, 1):
        found[shape.label].append(_outline(shape, f"{path}: shape {number}"))
    return tuple(found[INSPECT]), tuple(found[IGNORE])


def _outline(shape: _Shape, where: str) -> tuple[Point, ...]:
    points = shape.points
    wanted = {"polygon": "3 or more", "rectangle": "2 or 4", "circle": "2"}[shape.shape_type]
    allowed = {"polygon": len(points) >= 3, "rectangle": len(points) in {2, 4}}
    if not allowed.get(shape.shape_type, len(points) == 2):
        raise InputError(f"{where}: a {shape.shape_type} of {len(points)} points, not {wanted}")
    if shape.shape_type == "circle":
        return _circle(points[0], points[1], where)
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        return (x0, y0), (x1, y0), (x1, y1), (x0, y1)
    return points


def _circle(centre: Point, rim: Point, where: str) -> tuple[Point, ...]:
    """Give a polygon of as many corners as keep it within ``_FLAT`` pixels of the circle."""
    radius = math.dist(centre, rim)
    if not 0 < radius < 1e5:
        raise InputError(f"{where}: a circle of radius {radius} pixels")
    half = math.acos(max(0.5, 1 - _FLAT / radius))  # angle between a corner and a side's middle
    corners = math.ceil(math.pi / half)
    turns = (2 * math.pi * corner / corners for corner in range(corners))
    (x, y) = centre
    return tuple((x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns)
