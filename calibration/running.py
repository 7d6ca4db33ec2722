"""The quantiles of good frames while they come in, and how sure they are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, sqrt

from rich.table import Table

from calibration.looker import Seen


@dataclass
class Running:
    """Mean of a value over frames, and its standard error (Welford 1962)."""

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)

    @property
    def error(self) -> float:
        """Give the standard error of the mean; infinite for fewer than two values."""
        if self.count < 2:
            return inf
        return sqrt(self._squares / (self.count - 1) / self.count)


@dataclass
class RunningQuantiles:
    """Quantiles q_a and q_b of a frame's maps, on average over the frames so far.

    Frames are independent and cells of one frame are not, so that how sure a quantile is follows
    from how it differs from frame to frame. The record has the quantiles over all cells of all
    frames, which the frames with the highest values weigh in more.
    """

    _of: dict[tuple[str, str], tuple[Running, Running]] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        for scale, levels in seen.levels.items():
            for which, level in levels._asdict().items():
                q_a, q_b = self._of.setdefault((scale, which), (Running(), Running()))
                q_a.add(level.q90)
                q_b.add(level.q995)

    def rows(self) -> Iterator[tuple[str, Running, Running]]:
        """Yield each map's name with its quantiles."""
        for (scale, which), (q_a, q_b) in self._of.items():
            yield f"{scale} {which.removesuffix('ly')}", q_a, q_b

    def table(self) -> Table:
        """Lay them out, each with its standard error."""
        made = Table(box=None, pad_edge=False, header_style="bold")
        for head in ("map", "q_a of a frame", "q_b of a frame"):
            made.add_column(head)
        for name, q_a, q_b in self.rows():
            made.add_row(name, _text(q_a), _text(q_b))
        return made


def _text(value: Running) -> str:
    return f"{value.mean:.5f}" + ("" if value.count < 2 else f" ± {value.error:.5f}")
