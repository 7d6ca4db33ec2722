"""A picture of an anomaly map for people: the map over the frame, regions boxed, score written."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from daemon.messages import Map, Region
from models.geometry import Placement

#: Colours end at twice the threshold, which is thus their middle (green).
_LOW, _HIGH = 0.3, 1.0  # of the threshold: where colours begin to show, and where they fully do
_OPACITY = 0.6
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def placement_of(header: Map) -> Placement:
    """Give where the cells of a received map lie."""
    return Placement(header.first[::-1], header.step[::-1], header.shape)


def heat_overlay(
    rgb: NDArray[np.uint8] | None,
    values: NDArray[np.float32],
    placement: Placement,
    threshold: float,
    regions: Sequence[Region] = (),
    *,
    size: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Draw an anomaly map, (h, w), over its frame: (H, W, 3) uint8 RGB, a new array.

    Without a frame the map alone is drawn, at ``size`` (width, height) in pixels. Cells that reach
    the threshold are outlined in white; each region has a box with its peak.
    """
    if rgb is None:
        if size is None:
            raise ValueError("without a frame its size is needed")
        shape = size[::-1]
    else:
        shape = (rgb.shape[0], rgb.shape[1])
    tensor = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    pixels: NDArray[np.float32] = placement.to_pixels(tensor, shape).numpy()
    span = max(abs(threshold), 1e-6)
    level = 1 + (pixels - np.float32(threshold)) / np.float32(span)  # 1 is the threshold
    picture = _colours(level)
    if rgb is not None:
        opacity = np.clip((level - _LOW) / (_HIGH - _LOW), 0, 1)[..., None] * np.float32(_OPACITY)
        picture = (rgb + (picture.astype(np.float32) - rgb) * opacity + 0.5).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    _outline(picture, pixels >= threshold)
    for region in regions:
        _box(picture, region)
    top = float(values.max())
    sign = ">=" if top >= threshold else "<"
    _write(picture, f"score {top:.3f} {sign} {threshold:.3f}", (0, 0))
    return picture


def _colours(level: NDArray[np.float32]) -> NDArray[np.uint8]:
    codes = (np.clip(level / 2, 0, 1) * 255).astype(np.uint8)
    coloured = cv2.applyColorMap(codes, cv2.COLORMAP_TURBO)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _line_width(picture: NDArray[np.uint8]) -> int:
    longest: int = max(picture.shape[:2])
    return max(1, round(longest / 700))


def _outline(picture: NDArray[np.uint8], reached: NDArray[np.bool_]) -> None:
    contours, _ = cv2.findContours(reached.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, _WHITE, _line_width(picture))


def _box(picture: NDArray[np.uint8], region: Region) -> None:
    """Draw a region's box around its pixels, and its peak's value above or below."""
    width = _line_width(picture)
    left, top = round(region.x), round(region.y)
    right, bottom = round(region.x + region.width) - 1, round(region.y + region.height) - 1
    for out in range(1, 3 * width + 1):  # OpenCV's thick lines would cover the region's border
        colour = _WHITE if width < out <= 2 * width else _BLACK
        cv2.rectangle(picture, (left - out, top - out), (right + out, bottom + out), colour, 1)
    height = _text_size(picture, "0")[1]
    above = top - 3 * width - height
    _write(picture, f"{region.peak:.3f}", (left, above if above >= height else bottom + 3 * width))


def _scale(picture: NDArray[np.uint8]) -> float:
    longest: int = max(picture.shape[:2])
    return max(0.35, longest / 1600)


def _text_size(picture: NDArray[np.uint8], text: str) -> tuple[int, int, int]:
    """Give width and height with a margin, and the baseline's distance from the top: pixels."""
    (width, height), below = cv2.getTextSize(text, _FONT, _scale(picture), _line_width(picture))
    return width + 6, height + below + 6, height + 3


def _write(picture: NDArray[np.uint8], text: str, corner: tuple[int, int]) -> None:
    """Write a line, white on black, its upper left corner at (x, y) or where there is room."""
    width, height, baseline = _text_size(picture, text)
    x = min(max(corner[0], 0), max(picture.shape[1] - width, 0))
    y = min(max(corner[1], 0), max(picture.shape[0] - height, 0))
    cv2.rectangle(picture, (x, y), (x + width, y + height), _BLACK, cv2.FILLED)
    start, scale = (x + 3, y + baseline), _scale(picture)
    cv2.putText(picture, text, start, _FONT, scale, _WHITE, _line_width(picture), cv2.LINE_AA)
