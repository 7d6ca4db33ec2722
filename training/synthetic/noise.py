"""The thesis' anomalies: squares of Gaussian values (4.1.3)."""

import numpy as np

from models.detector import INPUT_MEAN, INPUT_STD
from training.synthetic.foreground import Image, Mask

#: Squares of an image, and the side of each as a share of the image's.
PATCHES = (1, 4)
SIDES = (1 / 40, 1 / 10)


def noise(image: Image, part: Mask, random: np.random.Generator) -> Image:
    """Replace 1 to 4 squares of (H, W, 3), centred on the part, by Gaussian values.

    Their mean and deviation are those that ``InputNorm`` makes 0 and 1 of.
    """
    spoilt = image.copy()
    rows, columns = np.nonzero(part)
    height, width = part.shape
    for _ in range(random.integers(PATCHES[0], PATCHES[1] + 1)):
        side = max(1, round(min(height, width) * random.uniform(*SIDES)))
        place = random.integers(len(rows))
        top = int(np.clip(rows[place] - side // 2, 0, height - side))
        left = int(np.clip(columns[place] - side // 2, 0, width - side))
        values = random.normal(INPUT_MEAN, INPUT_STD, (side, side, 3)).clip(0, 1)
        spoilt[top : top + side, left : left + side] = values
    return spoilt
