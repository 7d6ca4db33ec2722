"""Pieces of another place or another part, pasted with blended edges."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.foreground import Image, Mask

PATCHES = (1, 3)
#: The longer side of a piece as a share of the image's, and its ratio to the shorter.
SIDES = (1 / 20, 1 / 4)
RATIOS = (1.0, 5.0)
#: Width of the blended edge in pixels.
EDGES = (1, 4)


def cut_paste(
    image: Image, part: Mask, other: Callable[[], Image], random: np.random.Generator
) -> Image:
    """Paste 1 to 3 pieces onto the part of (H, W, 3).

    A piece is an ellipse or a rectangle, turned, from another place of the image or of ``other``,
    jittered in brightness, contrast and colour.
    """
    spoilt = image.copy()
    rows, columns = np.nonzero(part)
    for _ in range(random.integers(PATCHES[0], PATCHES[1] + 1)):
        source = image if random.random() < 0.5 else other()
        place = random.integers(len(rows))
        centre = (int(columns[place]), int(rows[place]))
        opacity = _piece(part.shape, centre, random)[..., None]
        spoilt += opacity * (_moved(source, random) - spoilt)
    return spoilt


def _piece(
    shape: tuple[int, int], centre: tuple[int, int], random: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the opacity of a piece: 1 inside, falling to 0 at its edge, 0 outside."""
    longer = min(shape) * random.uniform(*SIDES)
    shorter = max(3.0, longer / random.uniform(*RATIOS))
    turn = random.uniform(0, 180)
    drawn = np.zeros(shape, np.uint8)
    if random.random() < 0.5:
        axes = (max(2, round(longer / 2)), max(2, round(shorter / 2)))
        cv2.ellipse(drawn, centre, axes, turn, 0, 360, 1, cv2.FILLED)
    else:
        corners = cv2.boxPoints((centre, (longer, shorter), turn))
        cv2.fillConvexPoly(drawn, corners.round().astype(np.int32), 1)
    depth = cv2.distanceTransform(drawn, cv2.DIST_L2, 3)
    return np.asarray((depth / random.uniform(*EDGES)).clip(max=1), np.float32)


def _moved(source: Image, random: np.random.Generator) -> Image:
    """Turn, shift and jitter an image, mirrored where that leaves it."""
    height, width = source.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(0, 360), 1.0)
    matrix[:, 2] += random.uniform(-0.4, 0.4, 2) * np.array([width, height])
    moved = cv2.warpAffine(
        source, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    contrast, brightness = random.uniform(0.7, 1.3), random.uniform(-0.15, 0.15)
    colour = random.uniform(-0.05, 0.05, 3)
    mean = moved.mean(axis=(0, 1))
    jittered = (moved - mean) * contrast + mean + brightness + colour
    return np.asarray(jittered.clip(0, 1), np.float32)
