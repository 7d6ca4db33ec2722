"""Raw maps of many images, kept on disk, so that every alpha is tried without looking again."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.calibration import AnomalyMap, RawMaps
from models.engine import Engine
from models.errors import InputError
from models.images import read_rgb, to_tensor
from models.scope import Scope


class KeptMaps:
    """Raw maps by number, in a temporary folder that the end of a ``with`` removes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="effad-")
        self._rest: list[dict[str, dict[str, Any]]] = []  # of a scale's maps, but its tensors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def __len__(self) -> int:
        return len(self._rest)

    def append(self, maps: dict[str, RawMaps]) -> None:
        tensors: dict[str, Tensor] = {}
        rest: dict[str, dict[str, Any]] = {}
        for scale, raw in maps.items():
            rest[scale] = {}
            for name, value in raw._asdict().items():
                if isinstance(value, Tensor):
                    tensors[f"{scale}.{name}"] = value.contiguous()
                else:
                    rest[scale][name] = value
        save_file(tensors, self._file(len(self)))
        self._rest.append(rest)

    def __getitem__(self, index: int) -> dict[str, RawMaps]:
        rest = self._rest[index]
        found: dict[str, dict[str, Any]] = {scale: dict(kept) for scale, kept in rest.items()}
        for key, value in load_file(self._file(index)).items():
            scale, name = key.split(".")
            found[scale][name] = value
        return {scale: RawMaps(**fields) for scale, fields in found.items()}

    def _file(self, index: int) -> Path:
        return Path(self._folder.name) / str(index)


def look(
    engine: Engine, paths: Iterable[Path], kept: KeptMaps, progress: Callable[[int], None]
) -> None:
    """Keep the raw maps of images, in their order.

    Raises ``InputError`` for an image that cannot be read, or of which a map is no number.
    """
    for done, path in enumerate(paths, start=1):
        maps = engine.look_at(to_tensor(read_rgb(path)))
        for scale, raw in maps.items():
            if not (raw.local.isfinite().all() and raw.globally.isfinite().all()):
                raise InputError(
                    f"{path}: a map of scale {scale} is not finite; the bundle is damaged, or needs"
                    " --precision fp32"
                )
        kept.append(maps)
        progress(done)


def to_pixels(fused: AnomalyMap, height: int, width: int, scope: Scope) -> NDArray[np.float32]:
    """Bring an anomaly map to the frame's pixels, (height, width).

    Pixels outside the region of interest, or under the ignore mask, are not inspected: they are
    -inf, below any threshold.
    """
    at_pixels = fused.placement.to_pixels(fused.values, (height, width))
    values = np.array(at_pixels.numpy(), np.float32)
    if scope.region is not None:
        box = scope.region
        outside = np.ones((height, width), np.bool_)
        outside[box.y : box.y + box.height, box.x : box.x + box.width] = False
        values[outside] = -np.inf
    if scope.ignored is not None:
        values[scope.ignored] = -np.inf
    return values
