"""What a step compares: the teacher's input, and the backbone's features of the same cells."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.detector import InputNorm
from models.geometry import CELLS, TILE
from models.precision import Precision, autocast
from training.backbones.pooling import Backbone
from training.distillation.kept import Kept, Seen, Window
from training.distillation.views import Square, View, resized

#: Cells of a backbone's map that a tile's border takes from each side: 64 = 56 + 2 x 4. Where a
#: padded PDN's cells 4 to 59 equal those without padding, only these are distilled: detection has
#: no others, and a step is a fifth cheaper without the rest.
RIM = 4
WHOLE = Window(0, 0, CELLS)


class Wanted(NamedTuple):
    view: View
    window: Window


class Batch(NamedTuple):
    tiles: Tensor  # (N, 3, s, s) float32 RGB in [0, 1]
    features: Tensor  # (N, cells, cells, C) float32


#: What is read of a view: a window that was kept, or the square to compute from.
Source = Seen | Square


class Targets:
    """Reads views, which threads may do ahead of time, and makes batches on the device.

    ``kept``: where tiles and features are kept; without it the backbone runs each time.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device,
        precision: Precision,
        kept: Kept | None = None,
    ) -> None:
        self.channels = backbone.channels
        self._backbone = backbone
        self._device = device
        self._bf16 = precision is Precision.BF16
        self._kept = kept
        self._norm = InputNorm().to(device)

    def read(self, wanted: Sequence[Wanted]) -> list[Source]:
        """Read what is kept, and the images of the rest.

        Raises ``InputError`` for an image or a kept file that cannot be read.
        """
        return [self._source(view, window) for view, window in wanted]

    def batch(self, wanted: Sequence[Wanted], sources: Sequence[Source]) -> Batch:
        """Make a batch of what was read; raises ``InputError`` if it cannot be kept."""
        squares = {
            view: source
            for (view, _), source in zip(wanted, sources, strict=True)
            if isinstance(source, Square) and not (self._kept and self._kept.has(view))
        }
        made = dict(zip(squares, self._computed(list(squares.values())), strict=True))
        if self._kept is not None:
            for view, seen in made.items():
                self._kept.keep(view, seen)
            # Read back: rounded to fp16 the first time as every other.
            parts = [
                source if isinstance(source, Seen) else self._kept.read(*want)
                for want, source in zip(wanted, sources, strict=True)
            ]
        else:
            parts = [made[view].cut(window) for view, window in wanted]
        tiles, features = zip(*parts, strict=True)
        return Batch(self._stacked(tiles), self._stacked(features))

    def now(self, wanted: Sequence[Wanted]) -> Batch:
        """Read and make a batch at once."""
        return self.batch(wanted, self.read(wanted))

    def _source(self, view: View, window: Window) -> Source:
        if self._kept is not None and self._kept.has(view):
            return self._kept.read(view, window)
        square = view.square()
        return square.pinned() if self._device.type == "cuda" else square

    @torch.no_grad()
    def _computed(self, squares: Sequence[Square]) -> list[Seen]:
        """Give each square's tile (3, 256, 256) and features (56, 56, C)."""
        if not squares:
            return []
        shown = [square.on(self._device) for square in squares]
        images = torch.stack([resized(image, self._backbone.side) for image in shown])
        with autocast(self._device.type, enabled=self._bf16):
            features = self._backbone(
                self._norm(images).contiguous(memory_format=torch.channels_last)
            )
        inner = features[..., RIM : RIM + CELLS, RIM : RIM + CELLS].permute(0, 2, 3, 1)
        return [
            Seen(resized(image, TILE), of) for image, of in zip(shown, inner.float(), strict=True)
        ]

    def _stacked(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(parts)).to(self._device, non_blocking=True).float()
