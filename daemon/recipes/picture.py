"""What a recipe looks at, drawn into a frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.geometry import Box
from models.polygons import Point
from models.recipe import Recipe
from models.region import Mask

_LEAST = 900  # pixels: a smaller frame is drawn larger, so that the lines and words can be seen
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GREEN, _RED, _CYAN = (60, 230, 60), (255, 70, 50), (40, 210, 255)  # RGB
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_STRIPES = 14  # pixels of the picture, from stripe to stripe


def draw(frame: NDArray[np.uint8], recipe: Recipe, ignored: Mask | None) -> NDArray[np.uint8]:
    """Draw regions, box and mask: (H', W', 3) RGB, a new picture with a line of words below.

    ``frame`` (H, W, 3) RGB; ``ignored`` (H, W): what of the frame is not inspected, box apart.
    Dark with red stripes: not inspected. A pixel's square is drawn where the polygons say.
    """
    scale = max(1, -(-_LEAST // max(frame.shape[:2])))
    inspected = _inspected(frame.shape[:2], recipe.region_of_interest, ignored)
    large = np.repeat(np.repeat(frame, scale, axis=0), scale, axis=1)
    seen = np.repeat(np.repeat(inspected, scale, axis=0), scale, axis=1)
    picture = _shade(large, seen)
    width = max(2, round(max(picture.shape[:2]) / 450))
    for colour, polygons in ((_GREEN, recipe.regions), (_RED, recipe.ignored)):
        for polygon in polygons:
            _outline(picture, polygon, scale, colour, width)
    box = recipe.region_of_interest
    if box is not None:
        _outline(picture, _corners(box), scale, _CYAN, width)
    share = float(inspected.mean())
    return np.vstack([picture, _words(picture.shape[1], recipe, share)])


def _inspected(shape: Sequence[int], box: Box | None, ignored: Mask | None) -> Mask:
    found = np.zeros((shape[0], shape[1]), np.bool_)
    if box is None:
        found[:] = True
    else:
        found[box.y : box.y + box.height, box.x : box.x + box.width] = True
    return found if ignored is None else found & ~ignored


def _shade(picture: NDArray[np.uint8], inspected: Mask) -> NDArray[np.uint8]:
    height, width = inspected.shape
    rows, columns = np.arange(height)[:, None], np.arange(width)
    stripes = (rows + columns) % _STRIPES < _STRIPES // 5
    dark = picture // 3
    dark[..., 0] = np.where(stripes, np.maximum(dark[..., 0], 190), dark[..., 0])
    shaded: NDArray[np.uint8] = np.where(inspected[..., None], picture, dark)
    return np.ascontiguousarray(shaded)


def _outline(
    picture: NDArray[np.uint8],
    polygon: Sequence[Point],
    scale: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    # OpenCV counts from the centre of the first pixel, polygons from its corner; 1/16 pixels.
    points = np.round((np.array(polygon) * scale - 0.5) * 16).astype(np.int32)
    for drawn, thickness in ((_BLACK, width + 2), (colour, width)):
        cv2.polylines(picture, [points], True, drawn, thickness, cv2.LINE_AA, 4)


def _corners(box: Box) -> tuple[Point, ...]:
    right, bottom = box.x + box.width, box.y + box.height
    return (box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom)


def _words(width: int, recipe: Recipe, share: float) -> NDArray[np.uint8]:
    """Say what the colours mean, each in its own, on as many lines as it takes."""
    size = 0.6 * max(1.0, width / 1200)
    line = round(34 * size / 0.6)
    words = [(f"{recipe.name} version {recipe.version}: {share:.1%} inspected", _WHITE)]
    if recipe.regions:
        words.append((f"green: inspect ({len(recipe.regions)})", _GREEN))
    if recipe.ignored:
        words.append((f"red: ignore ({len(recipe.ignored)})", _RED))
    if recipe.region_of_interest is not None:
        words.append(("cyan: region_of_interest", _CYAN))
    if share < 1:
        words.append(("dark, striped: not inspected", (200, 200, 200)))
    placed, x, row = [], 12, 0
    for text, colour in words:
        advance = cv2.getTextSize(text, _FONT, size, 1)[0][0] + round(30 * size)
        if x > 12 and x + advance > width:
            x, row = 12, row + 1
        placed.append((text, colour, x, row))
        x += advance
    strip = np.zeros(((row + 1) * line + 8, width, 3), np.uint8)
    for text, colour, left, below in placed:
        at = (left, round((below + 0.72) * line) + 4)
        cv2.putText(strip, text, at, _FONT, size, colour, max(1, round(size)), cv2.LINE_AA)
    return strip
