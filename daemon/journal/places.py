"""Where in the frame rejects lie."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from daemon.journal.filters import Row

_FINE = 16  # pixels a side of what is counted
_CELLS = 10  # of the grid that is shown, along its longer side, at most
_STRONGEST = 5


@dataclass(frozen=True, order=True)
class Strong:
    """A region with one of the largest peaks."""

    peak: float
    station: str
    seq: int
    part: str | None
    x: float  # centroid, frame pixels
    y: float
    area: float  # square pixels


@dataclass
class Places:
    """Regions of a camera's rejects, by their centroids on a coarse grid."""

    station: str
    camera: str
    regions: int = 0
    parts: int = 0
    width: float = 0.0  # pixels that regions reach to: the frame is at least so large
    height: float = 0.0
    strongest: list[Strong] = field(default_factory=list)  # largest peak first
    _fine: Counter[tuple[int, int]] = field(default_factory=Counter)  # (column, row) of _FINE

    @property
    def cell(self) -> int:
        """Pixels a side of a cell."""
        longer = max(self.width, self.height, 1.0)
        return _FINE * max(1, -int(-longer // (_FINE * _CELLS)))

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the grid."""
        cell = self.cell
        return max(1, -int(-self.width // cell)), max(1, -int(-self.height // cell))

    def grid(self) -> list[list[int]]:
        """Give the number of centroids in each cell, row by row from the top."""
        columns, rows = self.size
        counts = [[0] * columns for _ in range(rows)]
        times = self.cell // _FINE
        for (column, row), count in self._fine.items():
            counts[min(row // times, rows - 1)][min(column // times, columns - 1)] += count
        return counts

    def top(self, count: int = 5) -> list[tuple[tuple[int, int, int, int], int]]:
        """Give the fullest cells: box (left, top, right, bottom) in pixels, and centroids in it."""
        cell = self.cell
        filled = [
            ((x * cell, y * cell, (x + 1) * cell, (y + 1) * cell), number)
            for y, row in enumerate(self.grid())
            for x, number in enumerate(row)
            if number
        ]
        return sorted(filled, key=lambda found: (-found[1], found[0]))[:count]

    def add(self, row: Row, regions: list[dict[str, Any]]) -> None:
        """Count the regions of a verdict's view."""
        self.parts += 1
        for region in regions:
            x, y = region["centroid"]
            self.regions += 1
            self._fine[max(0, int(x // _FINE)), max(0, int(y // _FINE))] += 1
            self.width = max(self.width, region["x"] + region["width"])
            self.height = max(self.height, region["y"] + region["height"])
            strong = Strong(region["peak"], row.station, row.seq, row.part, x, y, region["area"])
            self.strongest = heapq.nlargest(_STRONGEST, [*self.strongest, strong], key=_strength)


def find_places(rows: Iterable[Row]) -> list[Places]:
    """Count the regions of rejects by station and camera."""
    found: dict[tuple[str, str], Places] = {}
    for row in rows:
        for view in row.document["views"]:
            regions = view.get("regions")
            if regions:
                key = row.station, view["camera"]
                found.setdefault(key, Places(*key)).add(row, regions)
    return [found[key] for key in sorted(found)]


def _strength(strong: Strong) -> float:
    return strong.peak
