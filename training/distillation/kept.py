"""Tiles and features of fixed views on disk, where the backbone is what a step costs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import InputError
from models.geometry import CELLS, STEP, TILE
from training.distillation.views import View


class Window(NamedTuple):
    """A square of a tile's 56 x 56 cells, of which only these are trained on.

    More images a step for the same arithmetic: neighbouring cells say much the same.
    """

    row: int
    column: int
    cells: int

    def pixels(self, tile: Tensor) -> Tensor:
        """Cut the pixels that its cells see: (..., 4 cells + 32, 4 cells + 32)."""
        side = TILE - STEP * (CELLS - self.cells)
        y, x = STEP * self.row, STEP * self.column
        return tile[..., y : y + side, x : x + side]

    def area(self) -> tuple[slice, slice]:
        """Give its rows and columns, as an index of cells."""
        rows, columns = (slice(first, first + self.cells) for first in (self.row, self.column))
        return rows, columns


class Seen(NamedTuple):
    """One view: what the teacher sees, and what it is to say of it."""

    tile: Tensor  # (3, s, s) RGB in [0, 1]
    features: Tensor  # (cells, cells, C)

    def cut(self, window: Window) -> "Seen":
        return Seen(window.pixels(self.tile), self.features[window.area()])


@dataclass(frozen=True)
class Kept:
    """A folder of views, a safetensors file each: fp16, 2.8 MB at 384 channels."""

    folder: Path

    def has(self, view: View) -> bool:
        return self._file(view).exists()

    def read(self, view: View, window: Window) -> Seen:
        """Read a window, fp16; raises ``InputError`` if the file is damaged."""
        path = self._file(view)
        try:
            with safe_open(path, framework="pt") as file:
                return Seen(
                    window.pixels(file.get_tensor("tile")),
                    file.get_slice("features")[window.area()],
                )
        except SafetensorError as error:
            raise InputError(f"{path}: damaged; remove it") from error

    def keep(self, view: View, seen: Seen) -> None:
        """Write a whole view (3, 256, 256), (56, 56, C); raises ``InputError`` on a full disk."""
        path = self._file(view)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.uname().nodename}.{os.getpid()}")
        halves = {name: value.half().cpu().contiguous() for name, value in seen._asdict().items()}
        try:
            save_file(halves, partial)
        except SafetensorError as error:
            partial.unlink(missing_ok=True)
            raise InputError(
                f"{path}: cannot be written ({error}); make room, or ask for fewer --views"
            ) from error
        os.replace(partial, path)

    def _file(self, view: View) -> Path:
        return self.folder / f"{view.name}.safetensors"
