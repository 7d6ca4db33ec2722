"""Textures in the shape of Perlin noise, as DRAEM (Zavrtanik et al., ICCV 2021) makes them."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.foreground import Image, Mask

#: Periods of the noise over an image, a power of two, along each axis.
PERIODS = (2, 6)
#: The share of the part that the shape covers, before it is cut to its window.
SHARES = (0.1, 0.4)
#: Side of the window that the shape is cut to, as a share of the image's.
WINDOWS = (1 / 10, 1 / 2)
OPACITIES = (0.3, 1.0)


def perlin(
    image: Image, part: Mask, texture: Callable[[], Image], random: np.random.Generator
) -> Image:
    """Lay a texture over the part of (H, W, 3), in the shape of Perlin noise above a threshold."""
    height, width = part.shape
    periods = [2 ** int(random.integers(*PERIODS)) for _ in range(2)]
    values = _turned(perlin_noise((height, width), periods, random), random)
    shape = part & (values > np.quantile(values[part], 1 - random.uniform(*SHARES)))
    shape &= _window(part, random)
    opacity = random.uniform(*OPACITIES) * cv2.GaussianBlur(shape.astype(np.float32), (3, 3), 0)
    return np.asarray(image + opacity[..., None] * (texture() - image), np.float32)


def perlin_noise(
    shape: tuple[int, int], periods: list[int], random: np.random.Generator
) -> NDArray[np.float32]:
    """Give gradient noise (H, W) of so many periods along each axis, about -0.7 to 0.7."""
    angles = random.uniform(0, 2 * np.pi, (periods[0] + 1, periods[1] + 1))
    gradients = np.stack([np.sin(angles), np.cos(angles)])
    y, x = (np.arange(n) * p / n for n, p in zip(shape, periods, strict=True))
    row, column = y.astype(int), x.astype(int)
    dy, dx = (y - row)[:, None], (x - column)[None]

    def corner(down: int, right: int) -> NDArray[np.float64]:
        gy, gx = gradients[:, row[:, None] + down, column[None] + right]
        return np.asarray(gy * (dy - down) + gx * (dx - right))

    fade_y, fade_x = (t**3 * (t * (6 * t - 15) + 10) for t in (dy, dx))
    above = corner(0, 0) + fade_x * (corner(0, 1) - corner(0, 0))
    below = corner(1, 0) + fade_x * (corner(1, 1) - corner(1, 0))
    return np.asarray(above + fade_y * (below - above), np.float32)


def _turned(values: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    height, width = values.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-90, 90), 1.0)
    turned = cv2.warpAffine(values, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.float32)


def _window(part: Mask, random: np.random.Generator) -> Mask:
    """Draw an ellipse about a pixel of the part: an anomaly is in one place."""
    rows, columns = np.nonzero(part)
    place = random.integers(len(rows))
    axes = [max(3, round(n * random.uniform(*WINDOWS) / 2)) for n in part.shape]
    drawn = np.zeros(part.shape, np.uint8)
    centre = (int(columns[place]), int(rows[place]))
    cv2.ellipse(drawn, centre, (axes[1], axes[0]), random.uniform(0, 180), 0, 360, 1, cv2.FILLED)
    return drawn.astype(bool)
