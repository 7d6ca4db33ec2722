"""The pictures of a report: SVG without anything from outside."""

from html import escape

from daemon.journal.places import Places
from daemon.journal.report import Bucket, Report
from daemon.messages import Kind

#: Order of a bar from its foot, and the class that the page's style colours.
_STACK = ((Kind.PASS, "pass"), (Kind.FAIL, "fail"), (Kind.NO_VERDICT, "none"))
_WIDTH, _HEIGHT = 900, 220  # of the bars with their axes
_LEFT, _BOTTOM, _TOP = 56, 28, 8
_LABELS = 12  # below the bars
_GRID = 420  # of a frame's longer side


def bars(report: Report) -> str:
    """Draw the parts of each hour, or day: PASS below, FAIL and NO_VERDICT on it."""
    most = _round_up(max((bucket.account.parts for bucket in report.course), default=1))
    high = _HEIGHT - _BOTTOM - _TOP
    drawn = [
        f'<svg class="bars" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        ' aria-label="parts over time">'
    ]
    for step in range(5):
        y = _TOP + high * (1 - step / 4)
        drawn.append(
            f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="axis" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{most * step // 4}</text>"
        )
    pitch = (_WIDTH - _LEFT) / max(1, len(report.course))
    every = -(-len(report.course) // _LABELS)
    for n, bucket in enumerate(report.course):
        x = _LEFT + n * pitch
        drawn.append(_bar(bucket, report.by_day, (x + pitch * 0.12, pitch * 0.76), most, high))
        if n % every == 0:
            form = "%d %b" if report.by_day else "%H:%M"
            drawn.append(
                f'<text class="axis" x="{x + pitch / 2:.1f}" y="{_HEIGHT - 8}"'
                f' text-anchor="middle">{bucket.start:{form}}</text>'
            )
    return "".join([*drawn, "</svg>"])


def _bar(bucket: Bucket, by_day: bool, place: tuple[float, float], most: int, high: float) -> str:
    x, width = place
    account = bucket.account
    counts = {
        Kind.PASS: account.passed,
        Kind.FAIL: account.failed,
        Kind.NO_VERDICT: account.no_verdict,
    }
    form = "%Y-%m-%d" if by_day else "%Y-%m-%d %H:%M"
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    drawn = [f"<g><title>{bucket.start:{form}}: {said}</title>"]
    foot = _TOP + high
    for kind, name in _STACK:
        tall = high * counts[kind] / most
        if not tall:
            continue
        tall = max(tall, 1.5)  # one reject among thousands is seen
        foot -= tall
        drawn.append(
            f'<rect class="{name}" x="{x:.1f}" y="{foot:.1f}" width="{width:.1f}"'
            f' height="{tall:.1f}"/>'
        )
    return "".join([*drawn, "</g>"])


def grid(places: Places) -> str:
    """Draw how many regions lie in each cell of a camera's frame."""
    columns, rows = places.size
    side = _GRID / max(columns, rows)
    wide, tall = columns * side, rows * side
    most = max(max(row) for row in places.grid()) or 1
    drawn = [
        f'<svg class="grid" viewBox="0 0 {wide + 46:.0f} {tall + 24:.0f}" role="img"'
        f' aria-label="rejects by place, {escape(places.station)} {escape(places.camera)}">'
    ]
    for y, row in enumerate(places.grid()):
        for x, count in enumerate(row):
            drawn.append(_cell(places.cell, (x, y), side, count, most))
    for n, (width, height) in enumerate([(0, 0), (columns * places.cell, rows * places.cell)]):
        drawn.append(
            f'<text class="axis" x="{n * wide:.1f}" y="{tall + 16:.1f}"'
            f' text-anchor="{"end" if n else "start"}">{width}</text>'
            f'<text class="axis" x="{wide + 6:.1f}" y="{max(10, n * tall):.1f}">{height}</text>'
        )
    return "".join([*drawn, "</svg>"])


def _cell(pixels: int, place: tuple[int, int], side: float, count: int, most: int) -> str:
    x, y = place
    box = f"x {x * pixels} to {(x + 1) * pixels}, y {y * pixels} to {(y + 1) * pixels}"
    strength = 0.12 + 0.88 * (count / most) ** 0.5 if count else 0
    drawn = (
        f"<g><title>{box}: {count}</title>"
        f'<rect class="bare" x="{x * side:.1f}" y="{y * side:.1f}" width="{side:.1f}"'
        f' height="{side:.1f}"/>'
    )
    if count:
        text = "light" if strength > 0.55 else "dark"
        drawn += (
            f'<rect class="fail" x="{x * side:.1f}" y="{y * side:.1f}" width="{side:.1f}"'
            f' height="{side:.1f}" fill-opacity="{strength:.2f}"/>'
            f'<text class="count {text}" x="{(x + 0.5) * side:.1f}" y="{(y + 0.5) * side + 4:.1f}"'
            f' text-anchor="middle">{count}</text>'
        )
    return drawn + "</g>"


def _round_up(count: int) -> int:
    """Give a round number of at least this, that can be cut in four."""
    step = 4
    while True:
        for times in (1, 2, 3, 5):
            if step * times >= count:
                return step * times
        step *= 10
