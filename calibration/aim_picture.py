"""A frame with what ``calibration.aim`` found drawn in: to be looked at while a hand turns."""

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from calibration.aim import GRID, Aim, Held, clipped
from models.pixel_format import PixelFormat
from models.pixels import RawFrame, to_rgb

_WIDTH = 960  # pixels of the picture
_STRIP = 150  # of the histogram
_WHITE, _BLACK, _GREY = (255, 255, 255), (0, 0, 0), (90, 90, 90)
_FULL, _DARK = (255, 0, 80), (0, 120, 255)  # RGB of clipped pixels
_FONT = cv2.FONT_HERSHEY_SIMPLEX
Picture = NDArray[np.uint8]


def aim_picture(
    frame: RawFrame, pixel_format: PixelFormat, found: Aim, held: Mapping[str, Held]
) -> Picture:
    """Draw a frame as (H, 960, 3) uint8 RGB, with the sharpness of each tile and a histogram.

    Pixels at full scale are red, those at 0 blue, however few they are.
    """
    height, width = frame.shape[:2]
    size = (_WIDTH, max(GRID * 30, round(height * _WIDTH / width)))
    rgb = to_rgb(torch.from_numpy(np.array(frame)), pixel_format).permute(1, 2, 0).numpy()
    picture = (cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) * 255 + 0.5).astype(np.uint8)
    for mask, colour in zip(clipped(frame, pixel_format), (_DARK, _FULL), strict=True):
        share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        picture[share > 0] = colour
    _grid(picture, found)
    return np.vstack([picture, _histogram(found), _lines(found, held)])


def _grid(picture: Picture, found: Aim) -> None:
    height, width = picture.shape[:2]
    best = max(float(found.tiles.max()), 1e-12)
    for n in range(1, GRID):
        x, y = width * n // GRID, height * n // GRID
        for colour, thick in ((_BLACK, 3), (_WHITE, 1)):
            cv2.line(picture, (x, 0), (x, height), colour, thick)
            cv2.line(picture, (0, y), (width, y), colour, thick)
    for r in range(GRID):
        for c in range(GRID):
            share = found.tiles[r, c] / best
            corner = (width * c // GRID + 8, height * r // GRID + 24)
            _write(picture, f"{found.tiles[r, c]:.2e}  {share:.0%}", corner)


def _histogram(found: Aim) -> Picture:
    """Draw the luma's histogram, its counts by their logarithm; the end bins are clipped light."""
    strip = np.full((_STRIP, _WIDTH, 3), 24, np.uint8)
    counts = np.log1p(found.histogram) / np.log1p(max(int(found.histogram.sum()), 1))
    edges = np.linspace(0, _WIDTH, counts.size + 1).astype(int)
    for place, share in enumerate(counts):
        colour = _DARK if place == 0 else _FULL if place == counts.size - 1 else (200, 200, 200)
        top = _STRIP - round(float(share) * (_STRIP - 4))
        strip[top:, edges[place] : edges[place + 1]] = colour
    for quarter in range(1, 4):
        strip[::4, _WIDTH * quarter // 4] = _GREY
    return strip


def _lines(found: Aim, held: Mapping[str, Held]) -> Picture:
    lines = [
        f"brightness {_number('brightness', found.brightness, held)}   contrast"
        f" {_number('contrast', found.contrast, held)}",
        f"sharpness {_number('sharpness', found.sharpness, held)}",
        f"at 0 (blue) {found.black:.2%}   at full scale (red) {found.white:.2%}   darkest corner to"
        f" middle {found.evenness:.2f}   left to right {found.across:+.1%}   top to bottom"
        f" {found.down:+.1%}",
    ]
    strip = np.zeros((26 * len(lines) + 10, _WIDTH, 3), np.uint8)
    for place, line in enumerate(lines):
        _write(strip, line, (8, 26 * (place + 1) - 4), 0.45)
    return strip


def _number(name: str, now: float, held: Mapping[str, Held]) -> str:
    one = held.get(name)
    if one is None:
        return f"{now:.3g}"
    return f"{now:.3g} (then {one.then:.3g}{', ' + one.word if one.word else ''})"


def _write(picture: Picture, text: str, at: tuple[int, int], scale: float = 0.5) -> None:
    for colour, thick in ((_BLACK, 3), (_WHITE, 1)):
        cv2.putText(picture, text, at, _FONT, scale, colour, thick, cv2.LINE_AA)
