"""One engine at work on good frames: what each looks like, and what its cells add up to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calibration.fusing import Fused, Fuser
from calibration.looked import Levels, MapHistograms, MapLevels
from calibration.shown import Shown
from calibration.spilled_maps import MapLayout, SpilledMaps
from models.adaptive import Asking
from models.bit_histogram import BitHistogram
from models.engine import Engine
from models.errors import InputError
from models.images import Appearance, appearance
from models.levels import local_level
from models.light import Light, light
from models.pixels import to_rgb, upload


@dataclass(frozen=True)
class Seen:
    """What the first look at a frame tells."""

    name: str
    digest: str
    part: str
    slot: int  # where its maps were spilled
    levels: Mapping[str, MapLevels]
    appearance: Appearance
    light: Light  # within the region of interest
    local: float  # ``models.levels.local_level``


class Looker:
    """Looks at frames one by one. Used by one thread, or by a process of its own."""

    def __init__(self, engine: Engine, layout: MapLayout, maps: SpilledMaps) -> None:
        self._engine = engine
        self._counted = {name: raw.counted for name, raw in layout.items()}
        self._maps = maps
        self.histograms = empty_histograms(engine.mode.scales)
        self._again: tuple[Engine, Fuser] | None = None

    def look(self, shown: Shown, slot: int) -> Seen:
        """Look at a frame for the first time: its cells are counted, its maps spilled."""
        rgb = to_rgb(upload(shown.pixels, self._engine.device), shown.pixel_format)
        maps = self._engine.look_at(rgb)
        levels = {}
        for name, raw in maps.items():
            histograms = self.histograms[name]
            local = counted_cells(raw.local, self._counted[name])
            globally = counted_cells(raw.globally, self._counted[name])
            if not np.isfinite(local[-1]) or not np.isfinite(globally[-1]):
                raise InputError(
                    f"{shown.path or shown.name}: scale {name} gives no number for this frame;"
                    " the bundle is damaged, or the precision does not suit it: try fp32"
                )
            histograms.local.add_sorted(local)
            histograms.globally.add_sorted(globally)
            levels[name] = MapLevels(_levels(local), _levels(globally))
        self._maps.write(slot, maps)
        return Seen(
            name=shown.name,
            digest=shown.digest,
            part=shown.part,
            slot=slot,
            levels=levels,
            appearance=appearance(rgb),
            light=light(shown.pixels, shown.pixel_format, self._engine.scope.region),
            local=local_level(maps),
        )

    def ask(self, asking: Asking, fuser: Fuser) -> None:
        """From now on look ``again``, at those tiles only that the whole asks for."""
        self._again = self._engine.asking(asking), fuser

    def again(self, shown: Shown) -> Fused:
        """Look at a frame as inspection in mode adaptive will."""
        if self._again is None:
            raise ValueError("nothing was asked")
        engine, fuser = self._again
        return fuser(engine.look(shown.pixels, shown.pixel_format))


def empty_histograms(scales: tuple[str, ...]) -> dict[str, MapHistograms]:
    return {name: MapHistograms(BitHistogram(), BitHistogram()) for name in scales}


def counted_cells(values: Tensor, counted: Tensor) -> NDArray[np.float32]:
    """Give the cells that count, sorted, (N,); a NaN comes last."""
    cells = values if counted.all() else values[counted]
    found: NDArray[np.float32] = np.sort(cells.numpy(), axis=None)
    return found


def _levels(cells: NDArray[np.float32]) -> Levels:
    def at(probability: float) -> float:
        return float(cells[max(int(np.ceil(probability * cells.size)), 1) - 1])

    mean = float(np.mean(cells, dtype=np.float64))
    return Levels(mean, at(0.5), at(0.9), at(0.995), float(cells[-1]))
