"""The charts of a report: SVG without anything from outside, in the page's colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 44
_TICKS = 5


@dataclass(frozen=True)
class Line:
    """A named line; ``kind`` is its colour's class in the page's style."""

    name: str
    kind: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axes:
    """What a chart shows of the plane, in data coordinates, and how its axes are named."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Give the place of a point in the picture; beyond the axes it is at their end."""
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        along = (min(max(x, self.x[0]), self.x[1]) - self.x[0]) / (self.x[1] - self.x[0])
        up = (min(max(y, self.y[0]), self.y[1]) - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + along * wide, _TOP + (1 - up) * high


def lines(
    axes: Axes, drawn: Sequence[Line], *, dots: bool = False, marks: Sequence[float] = ()
) -> str:
    """Draw lines, with a legend below; ``marks`` are places on x that a vertical line shows."""
    found = [*_frame(axes)]
    for mark in marks:
        (x, top), (_, foot) = axes.at(mark, axes.y[1]), axes.at(mark, axes.y[0])
        found.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{foot}"/>')
    for line in drawn:
        places = [axes.at(*point) for point in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        found.append(
            f'<polyline class="{line.kind}" points="{path}"><title>{escape(line.name)}</title>'
            "</polyline>"
        )
        if dots:
            found += [
                f'<circle class="{line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>'
                f"{escape(line.name)}: {px:.4g}, {py:.4f}</title></circle>"
                for (x, y), (px, py) in zip(places, line.points, strict=True)
            ]
    legend = [(line.name, line.kind) for line in drawn]
    return _svg(f"{axes.y_name} over {axes.x_name}", found) + _legend(legend)


def histogram(
    x_name: str, series: Sequence[tuple[str, str, Sequence[float]]], threshold: float | None
) -> str:
    """Draw how many values fall into each of 40 bins, for each of (name, kind, values).

    The threshold is a line; scores beyond twice the 98th percentile share the last bin.
    """
    values = sorted(value for _, _, those in series for value in those)
    far = 2 * values[int(0.98 * (len(values) - 1))]
    low, high = min(values[0], 0), min(values[-1], far)
    if threshold is not None:
        high = max(high, 1.05 * threshold)
    high = high if high > low else low + 1
    step = (high - low) / 40
    counts = [
        [sum(min(int((v - low) / step), 39) == n for v in those) for n in range(40)]
        for _, _, those in series
    ]
    most = max(max(row) for row in counts)
    axes = Axes((low, high), (0, max(most, 4) * 1.05), x_name, "images")
    found = [*_frame(axes)]
    for (name, kind, _), row in zip(series, counts, strict=True):
        for n, count in enumerate(row):
            if count:
                left, top = axes.at(low + n * step, count)
                right, foot = axes.at(low + (n + 1) * step, 0)
                found.append(
                    f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}"'
                    f' height="{foot - top:.1f}"><title>{escape(name)}: {count}</title></rect>'
                )
    if threshold is not None:
        (x, top), (_, foot) = axes.at(threshold, axes.y[1]), axes.at(threshold, 0)
        found.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{foot}"/>'
            f'<text class="axis" x="{x + 5:.1f}" y="{top + 12:.1f}">threshold {threshold:.4f}'
            "</text>"
        )
    return _svg(f"histogram of {x_name}", found) + _legend([(n, k) for n, k, _ in series])


def span(values: Sequence[float], *, least: float | None = None) -> tuple[float, float]:
    """Give the ends of an axis that holds the values, with some room."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return (low - room if least is None else least), high + room


def _frame(axes: Axes) -> list[str]:
    """Draw grid lines with their numbers, and the axes' names."""
    found = []
    for value in _ticks(*axes.y):
        x, y = axes.at(axes.x[0], value)
        found.append(
            f'<line class="rule" x1="{x:.1f}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="axis" x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for value in _ticks(*axes.x):
        x, y = axes.at(value, axes.y[0])
        found.append(
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{y:.1f}"/>'
            f'<text class="axis" x="{x:.1f}" y="{y + 15:.1f}" text-anchor="middle">{value:g}</text>'
        )
    middle = _TOP + (_HEIGHT - _TOP - _BOTTOM) / 2
    found.append(
        f'<text class="axis" x="{_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2}" y="{_HEIGHT - 10}"'
        f' text-anchor="middle">{escape(axes.x_name)}</text>'
        f'<text class="axis" transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes.y_name)}</text>"
    )
    return found


def _ticks(low: float, high: float) -> list[float]:
    """Give about five round numbers between two."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 2.5, 5, 10) if times * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _svg(label: str, content: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(content)}</svg>"
    )


def _legend(named: Sequence[tuple[str, str]]) -> str:
    marks = "".join(f'<span class="{kind}"></span>{escape(name)}' for name, kind in named)
    return f"<p class=legend>{marks}</p>"
