"""The losses of each step of a run, and the curves that are kept of them (figure 5.2)."""

import math

import torch
from torch import Tensor

#: Columns. ``total`` is weighed by the coefficients; ``held_out`` is the same sum, without L_OOD
#: and L_CDO, over held-out tiles.
NAMES = ("total", "hard", "ae", "stae", "ood", "cdo", "held_out")
POINTS = 500  # of a curve, at most


class History:
    """A row a step; NaN where a loss was not computed."""

    def __init__(self, rows: Tensor | None = None) -> None:
        """Take the rows of a run so far, (steps, 7) float32."""
        self._rows: list[Tensor] = [] if rows is None else list(rows)
        self.steps_per_second = math.nan  # of the process that ended the run

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, losses: dict[str, float]) -> None:
        """Add a step."""
        self._rows.append(torch.tensor([losses.get(name, math.nan) for name in NAMES]))

    def add_held_out(self, loss: float) -> None:
        """Add the held-out loss after the last step."""
        self._rows[-1][NAMES.index("held_out")] = loss

    @property
    def rows(self) -> Tensor:
        """(steps, 7) float32, columns ``NAMES``."""
        return torch.stack(self._rows) if self._rows else torch.empty(0, len(NAMES))

    @property
    def totals(self) -> list[float]:
        """The weighed loss of each step."""
        totals: list[float] = self.rows[:, 0].tolist()
        return totals

    def curves(self, points: int = POINTS) -> list[tuple[int, dict[str, float]]]:
        """Give steps and their losses by name, each the mean of a span that ends at its step."""
        steps = len(self)
        count = min(points, steps)
        ends = [round(steps * (place + 1) / count) for place in range(count)]
        rows = self.rows.double()
        found = []
        for start, end in zip([0, *ends], ends, strict=False):
            means = rows[start:end].nanmean(dim=0).tolist()
            known = {n: float(f"{m:.5g}") for n, m in zip(NAMES, means, strict=True) if m == m}
            found.append((end, known))
        return found
