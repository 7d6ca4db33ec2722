"""The tiles that a run learns from: images are decoded once and kept in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from models.geometry import STEP, TILE, Box, Cutting, Whole
from models.images import read_rgb, to_tensor
from training import device


class TrainingTiles:
    """Tiles of images, by the image's and the tile's number.

    ``cutting``: of frames after ``region``, the rectangle of a frame that is looked at, has been
    cut out; ``Whole`` takes images of any size. ``kept``: the tiles that show a part, by default
    all. ``room``: bytes of images or tiles that are held; what is beyond is decoded each time.
    An image that cannot be read raises ``InputError`` when it is first needed.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        cutting: Cutting,
        *,
        region: Box | None = None,
        kept: Sequence[int] | None = None,
        room: int | None = None,
    ) -> None:
        self.paths = paths
        self.kept = range(cutting.tiles) if kept is None else kept
        self._cutting = cutting
        self._region = region
        self._room = device.room(torch.device("cpu")) if room is None else room
        self._held: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """Give the number of images."""
        return len(self.paths)

    @property
    def geometry(self) -> tuple[Cutting, Box | None, tuple[int, ...]]:
        """How frames are cut, and which tiles are kept."""
        return self._cutting, self._region, tuple(self.kept)

    def tile(self, image: int, tile: int) -> Tensor:
        """Give (3, 256, 256) float32 RGB in [0, 1], as inspection cuts it; not to be changed."""
        held = self._held.get(image)
        if held is None:
            held = self._read(image)
            size = held.numel() * held.element_size()
            if size <= self._room:
                self._held[image] = held
                self._room -= size
        if isinstance(self._cutting, Whole):
            return held
        ((row, column),) = self._cutting.chosen([tile])
        y, x = STEP * row, STEP * column
        return held[:, y : y + TILE, x : x + TILE].float().div_(255)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield every kept tile of every image."""
        for image in range(len(self)):
            for tile in self.kept:
                yield self.tile(image, tile)

    def spread(self, most: int) -> Iterator[Tensor]:
        """Yield so many tiles at most, spread evenly over the images and the places in them."""
        every = len(self) * len(self.kept)
        for number in range(count := min(most, every)):
            image, tile = divmod(number * every // count, len(self.kept))
            yield self.tile(image, self.kept[tile])

    def of(self, image: int) -> Iterator[Tensor]:
        """Give all kept tiles of an image."""
        return (self.tile(image, tile) for tile in self.kept)

    def fill(self) -> None:
        """Hold what there is room for, before several threads ask for it."""
        for image in range(len(self)):
            self.tile(image, self.kept[0])

    def _read(self, image: int) -> Tensor:
        """Give what is held of an image: its one tile, or its padded pixels (3, h, w) uint8."""
        rgb = read_rgb(self.paths[image])
        if (box := self._region) is not None:
            rgb = rgb[box.y : box.y + box.height, box.x : box.x + box.width]
        if isinstance(self._cutting, Whole):
            height, width = rgb.shape[:2]
            cutting = replace(self._cutting, height=height, width=width)
            return cutting.cut(to_tensor(rgb))[0]
        return self._cutting.pad(torch.from_numpy(rgb).permute(2, 0, 1)).contiguous()
