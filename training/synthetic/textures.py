"""Textures that are foreign to a good part: of natural images, or of the part itself, distorted."""

import cv2
import numpy as np

from training.synthetic.foreground import Image


def distorted(image: Image, random: np.random.Generator) -> Image:
    """Change (H, W, 3) so strongly that it no longer looks like the part that it was.

    Zoomed in and turned, its tiles shuffled, then inverted, solarized, posterized or recoloured.
    """
    changed = _shuffled(_zoomed(image, random), random)
    kind = random.integers(4)
    if kind == 0:
        changed = 1 - changed
    elif kind == 1:
        bright = changed > random.uniform(0.3, 0.7)
        changed = np.where(bright, 1 - changed, changed).astype(np.float32)
    elif kind == 2:
        steps = int(random.integers(2, 6))
        changed = (np.round(changed * steps) / steps).astype(np.float32)
    else:
        gains = random.uniform(0.3, 1.7, 3).astype(np.float32)
        changed = changed[..., random.permutation(3)] * gains
    shift = random.uniform(-0.25, 0.25)
    return np.asarray((changed + shift).clip(0, 1), np.float32)


def _zoomed(image: Image, random: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    turn, zoom = random.uniform(0, 360), random.uniform(1, 3)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, zoom)
    zoomed = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(zoomed, np.float32)


def _shuffled(image: Image, random: np.random.Generator) -> Image:
    """Cut into 8 x 8 pieces and put them together in another order."""
    pieces = 8
    rows, columns = (n // pieces for n in image.shape[:2])
    shuffled = image.copy()
    grid = image[: rows * pieces, : columns * pieces].reshape(pieces, rows, pieces, columns, 3)
    flat = grid.transpose(0, 2, 1, 3, 4).reshape(-1, rows, columns, 3)
    flat = flat[random.permutation(len(flat))].reshape(pieces, pieces, rows, columns, 3)
    shuffled[: rows * pieces, : columns * pieces] = flat.transpose(0, 2, 1, 3, 4).reshape(
        rows * pieces, columns * pieces, 3
    )
    return shuffled
