"""Good frames with a synthetic defect, to tell whether a recipe still finds one."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from models.geometry import TILE
from models.scope import Scope
from training.settings import Synthetic
from training.synthetic.anomaly import anomaly
from training.synthetic.cut_paste import cut_paste
from training.synthetic.foreground import Image, Mask, foreground
from training.synthetic.noise import noise
from training.synthetic.perlin import perlin
from training.synthetic.textures import distorted

#: Frames that are spoilt, at most: the standard error of an AUROC of 0.9 is then 0.05.
MOST = 24
_TRIES = 8
_DRAWN = 512  # pixels of the longer side at which a defect is drawn and a background told
_LEAST = 1e-4  # share of what is drawn on that must visibly change: 6 pixels of a tile
_SEED = 71


@dataclass(frozen=True, eq=False)
class Spoilt:
    rgb: Tensor  # (3, H, W) float32 in [0, 1]
    visible: Mask  # (H, W): where the defect shows
    kind: Synthetic


def chosen(frames: int) -> list[int]:
    """Give the places of at most ``MOST`` frames, evenly over so many."""
    places = np.linspace(0, frames - 1, min(frames, MOST)).round()
    return [int(place) for place in places]


def spoil(rgb: Tensor, name: str, scope: Scope, *, fine: bool) -> Spoilt | None:
    """Put a defect onto the part that a good frame (3, H, W) shows; None where none would show.

    ``name``, hex digits, decides its kind, its place and all else that is random. Pieces and
    textures are of the frame itself. Its size goes by what a tile shows: with ``fine``, native
    tiles, by 256 pixels, else by the region of interest. Nothing is put outside of that region,
    onto what is ignored, or onto a plain background.
    """
    random = np.random.default_rng((_SEED, int(name[:16], 16)))
    good, part = _image(rgb, scope), _part(rgb, scope)
    rows, columns = np.nonzero(part)
    if not len(rows):
        return None
    kind = list(Synthetic)[random.integers(len(Synthetic))]
    place = random.integers(len(rows))
    window = _window(good.shape[:2], (int(rows[place]), int(columns[place])), fine)
    for _ in range(_TRIES):
        changed = _drawn(np.ascontiguousarray(good[window]), part[window], kind, random)
        found = anomaly(good[window], changed)
        if found.visible.mean() >= _LEAST:
            return _whole(rgb, scope, window, found.image, found.visible, kind)
    return None


def _drawn(good: Image, part: Mask, kind: Synthetic, random: np.random.Generator) -> Image:
    """Draw a defect onto a window (h, w, 3), at a size at which that takes no time."""
    height, width = good.shape[:2]
    scale = min(1.0, _DRAWN / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = np.asarray(cv2.resize(good, size, interpolation=cv2.INTER_AREA), np.float32)
    where = cv2.resize(part.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not where.any():
        return good
    match kind:
        case Synthetic.NOISE:
            spoilt = noise(small, where, random)
        case Synthetic.CUT_PASTE:
            spoilt = cut_paste(small, where, lambda: small, random)
        case Synthetic.PERLIN:
            spoilt = perlin(small, where, lambda: distorted(small, random), random)
    change = cv2.resize(spoilt - small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray((good + change).clip(0, 1), np.float32)


def _image(rgb: Tensor, scope: Scope) -> Image:
    """Cut (3, H, W) to the region of interest, as (h, w, 3)."""
    if (box := scope.region) is not None:
        rgb = rgb[:, box.y : box.y + box.height, box.x : box.x + box.width]
    image: Image = rgb.cpu().permute(1, 2, 0).contiguous().numpy()
    return image


def _part(rgb: Tensor, scope: Scope) -> Mask:
    """Tell the part from background and from what is ignored, within the region of interest."""
    image = _image(rgb, scope)
    height, width = image.shape[:2]
    scale = min(1.0, _DRAWN / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    told = foreground(small).astype(np.uint8)
    part: Mask = cv2.resize(told, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    if scope.ignored is not None:
        box = scope.region
        ignored = scope.ignored
        if box is not None:
            ignored = ignored[box.y : box.y + box.height, box.x : box.x + box.width]
        part = part & ~ignored
    return part


def _window(size: Sequence[int], centre: tuple[int, int], fine: bool) -> tuple[slice, slice]:
    """Give the rows and columns that a defect is drawn in."""
    spans = []
    for length, middle in zip(size, centre, strict=True):
        side = min(length, TILE) if fine else length
        first = min(max(middle - side // 2, 0), length - side)
        spans.append(slice(first, first + side))
    return spans[0], spans[1]


def _whole(
    rgb: Tensor,
    scope: Scope,
    window: tuple[slice, slice],
    image: Image,
    visible: Mask,
    kind: Synthetic,
) -> Spoilt:
    """Put a spoilt window back into its frame."""
    top, left = (0, 0) if scope.region is None else (scope.region.y, scope.region.x)
    rows, columns = (
        slice(side.start + first, side.stop + first)
        for side, first in zip(window, (top, left), strict=True)
    )
    spoilt = rgb.cpu().clone()
    spoilt[:, rows, columns] = torch.from_numpy(image).permute(2, 0, 1)
    shown = np.zeros(spoilt.shape[-2:], np.bool_)
    shown[rows, columns] = visible
    return Spoilt(spoilt, shown, kind)
