"""What is known of test images before they are looked at: size and defect pixels."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.images import read_rgb
from training.data.masks import read_mask
from training.data.samples import Sample


@dataclass(frozen=True)
class Truth:
    """A test image's size and mask, which is packed: masks of thousands are kept in memory."""

    height: int  # pixels
    width: int
    packed: bytes | None  # None: a defect whose pixels are unknown

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Give the defect's pixels, (height, width)."""
        if self.packed is None:
            return None
        bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        flat = np.unpackbits(bits, count=self.height * self.width)
        return flat.view(np.bool_).reshape(self.height, self.width)


def read_truths(samples: Sequence[Sample], progress: Callable[[int], None]) -> list[Truth]:
    """Read the sizes and masks of all test images.

    What is wrong with one of them is an ``InputError`` here, before the minutes that looking at
    the first ones takes.
    """
    found = []
    for done, sample in enumerate(samples, start=1):
        height, width = read_rgb(sample.path).shape[:2]
        mask = read_mask(sample, height, width)
        packed = None if mask is None else zlib.compress(np.packbits(mask).tobytes(), level=1)
        found.append(Truth(height, width, packed))
        progress(done)
    return found
