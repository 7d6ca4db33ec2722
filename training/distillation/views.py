"""What a distillation looks at: random squares of natural images, in an endless order."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.images import SUFFIXES, find_images, read_rgb
from training.data.good import digest

#: Probability that a view is grey (algorithm 1, step 4). Many cameras of a line are monochrome.
GRAYSCALE = 0.3
#: Natural images kept out of training, to measure the loss on: at most so many, and one in so many.
HELD_OUT, HELD_OUT_OF = 32, 10

_digest = cache(digest)


class Square(NamedTuple):
    """A square cut of an image, as it was decoded; what is left to do, the device does."""

    pixels: Tensor  # (3, s, s) uint8 RGB
    grey: bool

    def pinned(self) -> "Square":
        """Copy into page-locked memory, from which a GPU fetches without the CPU waiting."""
        return self._replace(pixels=self.pixels.pin_memory())

    def on(self, device: torch.device) -> Tensor:
        """Give (3, s, s) float32 RGB in [0, 1] on the device, grey if it is to be."""
        image = self.pixels.to(device, non_blocking=True).float().div_(255)
        return image.mean(dim=0, keepdim=True).expand(3, -1, -1) if self.grey else image


def square(image: Tensor, random: np.random.Generator) -> Square:
    """Cut a random square of (3, H, W), flip it, make it grey at times."""
    _, height, width = image.shape
    side = min(height, width, max(32, int(min(height, width) * random.uniform(0.6, 1.0))))
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    cut = image[:, top : top + side, left : left + side]
    if random.random() < 0.5:
        cut = cut.flip(2)
    return Square(cut.contiguous(), bool(random.random() < GRAYSCALE))


def resized(image: Tensor, side: int) -> Tensor:
    """Bring (3, s, s) to (3, side, side) (algorithm 1, steps 2 and 3)."""
    return functional.interpolate(
        image[None], size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )[0]


class View(NamedTuple):
    """One random square of an image; the same names give the same pixels."""

    path: Path
    seed: int
    image: int  # its place in the list of images
    number: int  # of the views of this image

    def square(self) -> Square:
        """Read it; raises ``InputError`` if the image cannot be read."""
        random = np.random.default_rng((self.seed, self.image, self.number))
        return square(torch.from_numpy(read_rgb(self.path)).permute(2, 0, 1), random)

    @property
    def name(self) -> str:
        """Name the view by what it shows."""
        return f"{_digest(self.path)}-{self.seed}-{self.image}-{self.number}"


class NaturalImages(NamedTuple):
    """A folder of natural images, at any depth, parted into those trained on and held out."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]

    @classmethod
    def split(cls, folder: Path) -> "NaturalImages":
        """Hold out images evenly over the sorted paths; a single image serves both.

        Raises ``InputError`` if the folder is missing or holds no image.
        """
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        paths = found or find_images(folder)
        held_out = paths[:: max(HELD_OUT_OF, len(paths) // HELD_OUT)][:HELD_OUT]
        kept = set(held_out)
        return cls(tuple(p for p in paths if p not in kept) or tuple(held_out), tuple(held_out))

    def digest(self) -> str:
        """Name the set by the contents of all its images: 16 hex digits of SHA-256."""
        each = sorted({_digest(path) for path in (*self.train, *self.held_out)})
        return hashlib.sha256("".join(each).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Views:
    """An endless order of views: each image once an epoch, the order from the seed alone.

    ``fixed``: so many views of each image, again and again; 0: another view each epoch.
    """

    paths: Sequence[Path]
    seed: int
    fixed: int = 0

    def __getitem__(self, number: int) -> View:
        epoch, place = divmod(number, len(self.paths))
        image = int(_order(self.seed, epoch, len(self.paths))[place])
        return View(
            self.paths[image], self.seed, image, epoch % self.fixed if self.fixed else epoch
        )


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)
