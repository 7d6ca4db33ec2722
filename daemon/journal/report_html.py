"""A report as one HTML file, to be mailed or kept: nothing in it is loaded from anywhere."""

from collections.abc import Iterable, Sequence
from html import escape

from daemon.journal.filters import recipe_of
from daemon.journal.listing import local
from daemon.journal.places import Places
from daemon.journal.report import Account, Report
from daemon.journal.report_style import STYLE
from daemon.journal.report_svg import bars, grid
from daemon.journal.report_text import challenge_line, percent
from daemon.messages import Kind
from models.html_page import document, heading, quiet, section

_GAPS = 50  # told one by one


def html(report: Report) -> str:
    """Lay a report out as a page."""
    span = f"{local(report.since_ns)[:16]} to {local(report.until_ns)[:16]}"
    content = [
        _warnings(report),
        _cards(report),
        section("Parts by day" if report.by_day else "Parts by hour", bars(report) + _LEGEND)
        if report.course
        else "",
        "<div class=columns>",
        section("NO_VERDICT by reason", _reasons(report)),
        section("Operators and effad", _words(report)),
        "</div>",
        *(_places(places) for places in report.places),
        *(section("Known rejects shown", _challenges(report)) for _ in report.challenges[:1]),
        section("By recipe", _accounts("recipe", report.recipes)),
        section("By station", _accounts("station", report.stations)),
        section(f"Alarms ({report.alarm_count})", _alarms(report)),
    ]
    return document(f"effad report {span}", STYLE, heading("Shift report", span), content)


_LEGEND = (
    "<p class=legend><span class=pass></span>PASS<span class=fail></span>FAIL"
    "<span class=none></span>NO_VERDICT</p>"
)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Numbers, and what reads as one, stand right."""
    lines = []
    for row in rows:
        cells = "".join(
            f"<td{' class=number' if _is_number(cell) else ''}>{escape(str(cell))}</td>"
            for cell in row
        )
        lines.append(f"<tr>{cells}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<div class=wide><table><tr>{head}</tr>{''.join(lines)}</table></div>"


def _is_number(cell: str | int) -> bool:
    text = str(cell).removesuffix(" %").replace(".", "", 1)
    return isinstance(cell, int) or text.isdecimal() or text == "-"


def _warnings(report: Report) -> str:
    lines = []
    if report.gaps:
        told = ", ".join(f"{gap.station} {gap.first} to {gap.last}" for gap in report.gaps[:_GAPS])
        others = len(report.gaps) - _GAPS
        told += f" and {others} other gaps" if others > 0 else ""
        lines.append(f"{report.missing} verdicts are missing from the journal: {told}")
    lines += [f"challenge: {challenge_line(one)}" for one in report.challenges if not one.ok]
    if report.total.bypassed:
        lines.append(f"{report.total.bypassed} parts passed uninspected (bypass)")
    return "".join(f"<p class=warning>{escape(line)}</p>" for line in lines)


def _cards(report: Report) -> str:
    total, took = report.total, report.total.latency
    cards = [
        ("yield", percent(total.yield_), f"of {total.parts - total.bypassed} inspected parts", ""),
        ("PASS", str(total.passed), f"of {total.parts}", "pass"),
        ("FAIL", str(total.failed), f"of {total.parts}", "fail"),
        ("NO_VERDICT", str(total.no_verdict), f"of {total.parts}", "none"),
        (
            "latency p99",
            f"{took.p99:.1f} ms" if took else "-",
            f"p50 {took.p50:.1f} · p95 {took.p95:.1f} · max {took.max:.1f}" if took else "",
            "",
        ),
    ]
    return (
        "<div class=cards>"
        + "".join(
            f'<div class="card {kind}"><h3>{name}</h3><strong>{value}</strong><p>{more}</p></div>'
            for name, value, more, kind in cards
        )
        + "</div>"
    )


def _reasons(report: Report) -> str:
    if not report.reasons:
        return quiet("none")
    made = _table(["reason", "parts"], report.reasons.most_common())
    late = f"{report.late} with a result that came too late" if report.late else ""
    return made + (quiet(late) if late else "")


def _words(report: Report) -> str:
    if not report.words:
        return quiet("no verdict was overridden")
    rows: list[tuple[str | int, ...]] = [
        (str(ours), *(report.words[ours, theirs] for theirs in (Kind.PASS, Kind.FAIL)))
        for ours in Kind
    ]
    return _table(["effad", "operator: PASS", "operator: FAIL"], rows) + quiet(
        f"agreement {percent(report.agreement)}"
    )


def _places(places: Places) -> str:
    top = _table(
        ["x", "y", "regions"],
        [
            (f"{left} to {right}", f"{top} to {bottom}", count)
            for (left, top, right, bottom), count in places.top()
        ],
    )
    strongest = _table(
        ["peak", "at (x, y)", "square pixels", "seq", "part"],
        [
            (
                f"{strong.peak:.3f}",
                f"({strong.x:.0f}, {strong.y:.0f})",
                f"{strong.area:.0f}",
                strong.seq,
                strong.part or "-",
            )
            for strong in places.strongest
        ],
    )
    about = quiet(
        f"{places.regions} regions of {places.parts} parts by centroid, in frame pixels; the frame"
        " may be larger than what is drawn"
    )
    return section(
        f"Rejects by place: {places.station}, {places.camera}",
        f"<div class=columns><div>{grid(places)}{about}</div>"
        f"<div><h3>Fullest cells</h3>{top}<h3>Strongest</h3>{strongest}</div></div>",
    )


def _challenges(report: Report) -> str:
    rows = [
        (
            local(one.time_ns),
            one.station,
            recipe_of(one.recipe, one.recipe_version),
            one.operator,
            one.shown,
            one.missed,
            ", ".join(one.missed_names) or one.note,
        )
        for one in report.challenges
    ]
    heads = ["time", "station", "recipe", "by", "shown", "not FAIL", "which"]
    return _table(heads, rows)


def _accounts(name: str, accounts: dict[str, Account]) -> str:
    if not accounts:
        return quiet("no verdict in this interval")
    heads = [name, "parts", "yield", "FAIL", "NO_VERDICT", "bypassed", "p50 ms", "p99 ms", "max ms"]
    return _table(heads, [_account(*item) for item in sorted(accounts.items())])


def _account(name: str, account: Account) -> tuple[str | int, ...]:
    took = account.latency
    times = (took.p50, took.p99, took.max) if took else ()
    return (
        name,
        account.parts,
        percent(account.yield_),
        account.failed,
        account.no_verdict,
        account.bypassed,
        *(f"{ms:.1f}" for ms in times),
    )


def _alarms(report: Report) -> str:
    if not report.alarms:
        return quiet("none")
    rows = [
        (
            local(alarm.time_ns),
            alarm.code,
            " ".join(name for name in (alarm.station, alarm.camera) if name),
            alarm.text,
        )
        for alarm in report.alarms
    ]
    return _table(["time", "alarm", "where", "what"], rows)
