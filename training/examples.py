"""What a step looks at: tiles of good parts, changed at random by seed and number alone."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.ahead import ahead
from training.augment import TURNS, augment, turned
from training.natural import NaturalTiles
from training.settings import TrainSettings
from training.synthetic.anomaly import Window, cells, windows
from training.synthetic.injection import Injection
from training.tiles import TrainingTiles

#: That make examples ahead of an accelerator.
THREADS = 4
#: Tiles that a held-out loss is over.
HELD_OUT = 8


class Example(NamedTuple):
    """One tile, and what was made of it. Images are (3, 256, 256) float32 RGB in [0, 1]."""

    key: tuple[int, int, int]  # image, tile and turn: what the teacher's features are kept by
    clean: Tensor
    augmented: Tensor
    anomalous: tuple[Window, ...] = ()  # what the cells on a synthetic anomaly see
    touched: Tensor | None = None  # (56, 56) bool: cells that see such an anomaly; None: none do
    natural: Tensor | None = None  # an image that shows no part


class Examples:
    """Example ``n`` of a run, the same whoever asks, and in whatever order.

    Each image comes once an epoch, with a random one of its tiles. What feeds a loss that is off
    is not made, and draws no random numbers that the others see.
    """

    def __init__(
        self,
        tiles: TrainingTiles,
        settings: TrainSettings,
        natural: NaturalTiles | None = None,
    ) -> None:
        self._tiles = tiles
        self._settings = settings
        self._natural = natural
        self._inject = Injection(
            settings.synthetic, settings.synthetic_probability, self._any_tile, natural
        )
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def __getitem__(self, number: int) -> Example:
        settings, tiles = self._settings, self._tiles
        epoch, place = divmod(number, len(tiles))
        image = int(self._order(epoch)[place])
        random, injecting, nature = (
            np.random.default_rng((settings.seed, stream, number)) for stream in (1, 3, 4)
        )
        tile = tiles.kept[int(random.integers(len(tiles.kept)))]
        turn = int(random.integers(TURNS)) if settings.geometric else 0
        clean = turned(tiles.tile(image, tile), turn)
        made = Example((image, tile, turn), clean, augment(clean, random))
        if settings.coeff_cdo and (anomaly := self._inject(clean, injecting)) is not None:
            on, touched = cells(anomaly)
            made = made._replace(anomalous=windows(anomaly, on), touched=touched)
        if settings.coeff_ood and self._natural is not None:
            made = made._replace(natural=self._natural.tile(nature))
        return made

    def batches(self, start: int, stop: int, device: torch.device) -> Iterator[Sequence[Example]]:
        """Yield the examples of the steps from ``start`` to ``stop``, a list each."""
        if device.type == "cpu":  # its cores are busy
            return ([self[n] for n in numbers] for numbers in self._numbers(start, stop))
        return self.ahead(start, stop)

    def ahead(self, start: int, stop: int, *, pinned: bool = True) -> Iterator[Sequence[Example]]:
        """Let threads make them ahead, in pinned memory: for an accelerator."""
        self._tiles.fill()
        numbers = self._numbers(start, stop)

        def make(step: int) -> list[Example]:
            made = [self[n] for n in numbers[step]]
            return [_pinned(example) for example in made] if pinned else made

        with closing(ahead(make, range(len(numbers)), threads=THREADS, depth=2 * THREADS)) as steps:
            yield from steps

    def _numbers(self, start: int, stop: int) -> list[list[int]]:
        size = self._settings.batch
        return [list(range(step * size, (step + 1) * size)) for step in range(start, stop)]

    def _any_tile(self, random: np.random.Generator) -> Tensor:
        tiles = self._tiles
        tile = tiles.kept[int(random.integers(len(tiles.kept)))]
        return tiles.tile(int(random.integers(len(tiles))), tile)

    def _shuffled(self, epoch: int) -> NDArray[np.intp]:
        order: NDArray[np.intp] = np.random.default_rng((self._settings.seed, epoch)).permutation(
            len(self._tiles)
        )
        return order


def held_out_examples(tiles: TrainingTiles) -> list[Example]:
    """Give clean tiles of the first ``HELD_OUT`` images."""
    found = []
    for image in range(min(len(tiles), HELD_OUT)):
        tile = tiles.kept[image % len(tiles.kept)]
        clean = tiles.tile(image, tile)
        found.append(Example((-1 - image, tile, 0), clean, clean))
    return found


def _pinned(example: Example) -> Example:
    """Move the images where a device copies from without waiting."""
    natural = example.natural
    return example._replace(
        clean=example.clean.pin_memory(),
        augmented=example.augmented.pin_memory(),
        anomalous=tuple(w._replace(pixels=w.pixels.pin_memory()) for w in example.anomalous),
        natural=None if natural is None else natural.pin_memory(),
    )
