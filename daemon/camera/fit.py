"""Straight lines from one clock's times to another's, in ns, whatever the epochs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

UNIT = 1_000_000  # ns: what a line through real times may be off without being a wrong one

Points = Sequence[tuple[int, int]]  # (x, y): times of the two clocks, ns


@dataclass(frozen=True)
class Line:
    """y = y0 + (x - x0) * (1 + slope); whole numbers, where a float would lose digits."""

    x0: int
    y0: int
    slope: float  # how much faster y runs; 1e-6 is a part in a million

    def at(self, x: int) -> int:
        passed = x - self.x0
        return self.y0 + passed + round(passed * self.slope)

    def lowered(self, by: int) -> "Line":
        return replace(self, y0=self.y0 - by)


def through(points: Points, weights: Sequence[float], steepest: float, steady: int) -> Line:
    """Give the line of least squares through points; with slope 0 where x spans less than
    ``steady``, and none beyond ``steepest``.
    """
    x0, y0 = points[0]
    near = [(w, x - x0, (y - y0) - (x - x0)) for (x, y), w in zip(points, weights, strict=True)]
    total = sum(weights)
    x_mean = sum(w * x for w, x, _ in near) / total
    y_mean = sum(w * y for w, _, y in near) / total
    slope = 0.0
    if _span(points) >= steady:
        square = sum(w * (x - x_mean) ** 2 for w, x, _ in near)
        slope = sum(w * (x - x_mean) * (y - y_mean) for w, x, y in near) / square
    slope = min(steepest, max(-steepest, slope))
    return Line(x0, y0 + round(y_mean - slope * x_mean), slope)


def below(points: Points, steepest: float, steady: int) -> Line:
    """Give the highest line that has no point below it, at the points' mean x; slope as above."""
    x0, y0 = points[0]
    near = [(x - x0, (y - y0) - (x - x0)) for x, y in points]
    slope = 0.0
    if _span(points) >= steady:
        hull = _lower_hull(sorted(near))
        mean = sum(x for x, _ in near) / len(near)
        over = ((a, b) for a, b in pairwise(hull) if a[0] <= mean <= b[0])
        slope = next(((b[1] - a[1]) / (b[0] - a[0]) for a, b in over), 0.0)
    slope = min(steepest, max(-steepest, slope))
    # A rounded line may lie above a point by 1 ns; the lowest is for the lowest point.
    return Line(x0, y0 + min(y - round(slope * x) for x, y in near), slope)


def _span(points: Points) -> int:
    return max(x for x, _ in points) - min(x for x, _ in points)


def _lower_hull(points: Points) -> list[tuple[int, int]]:
    """Give the lower convex hull of sorted points, from left to right."""
    hull: list[tuple[int, int]] = []
    for x, y in points:
        if hull and hull[-1][0] == x:
            continue  # sorted: what stands there is lower
        while len(hull) >= 2 and _turns_right(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return hull


def _turns_right(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) <= (b[1] - a[1]) * (c[0] - a[0])
