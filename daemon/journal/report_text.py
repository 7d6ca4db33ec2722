"""A report as text for a terminal or a mail, and as JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from daemon.journal.challenges import ChallengeLine
from daemon.journal.listing import local, printable
from daemon.journal.places import Places
from daemon.journal.report import Account, Report

_GAPS = 20  # told one by one
_BAR = 40  # characters


def percent(share: float | None) -> str:
    """Give a share, without rounding what is not whole up to 100 %."""
    if share is None:
        return "-"
    rounded = f"{share * 100:.2f}"
    return ("99.99" if rounded == "100.00" and share < 1 else rounded) + " %"


def text(report: Report) -> str:
    """Lay a report out in lines."""
    total = report.total
    lines = [
        f"effad report, {local(report.since_ns)} to {local(report.until_ns)}",
        "",
        f"parts         {total.parts}",
        f"PASS          {total.passed}",
        f"FAIL          {total.failed}",
        f"NO_VERDICT    {total.no_verdict}",
        f"yield         {percent(total.yield_)} of {total.parts - total.bypassed} inspected parts",
        f"bypassed      {total.bypassed}",
    ]
    if total.latency:
        took = total.latency
        lines.append(
            f"latency, ms   p50 {took.p50:.1f}  p95 {took.p95:.1f}  p99 {took.p99:.1f}"
            f"  max {took.max:.1f}   trigger to publication"
        )
    lines += _section("NO_VERDICT by reason", (_counted(report.reasons.most_common())))
    if report.late:
        lines.append(f"  with a result that came too late: {report.late}")
    lines += _section("by station", _accounts(report.stations))
    lines += _section("by recipe", _accounts(report.recipes))
    lines += _section("by day" if report.by_day else "by hour", _course(report))
    for places in report.places:
        lines += _section(
            f"rejects by place: {places.station} {places.camera}, {places.regions} regions of"
            f" {places.parts} parts, (x, y) in pixels",
            _places(places),
        )
    lines += _section("known rejects shown", map(challenge_line, report.challenges))
    lines += _section("operators' words", _words(report))
    lines += _section("missing from the journal: there must be none", _gaps(report))
    lines += _section(f"alarms: {report.alarm_count}", _alarms(report))
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """Give a report as a JSON object; times in ns, latency in ms, shares of 1."""
    document: dict[str, Any] = {
        "since_ns": report.since_ns,
        "until_ns": report.until_ns,
        "total": _account(report.total),
        "reasons": dict(report.reasons.most_common()),
        "late_results": report.late,
        "stations": {name: _account(account) for name, account in report.stations.items()},
        "recipes": {name: _account(account) for name, account in report.recipes.items()},
        "course": [
            {"start": bucket.start.isoformat(), **_account(bucket.account)}
            for bucket in report.course
        ],
        "places": [
            {
                "station": places.station,
                "camera": places.camera,
                "regions": places.regions,
                "parts": places.parts,
                "cell": places.cell,
                "grid": places.grid(),
                "strongest": [vars(strong) for strong in places.strongest],
            }
            for places in report.places
        ],
        "words": [
            {"effad": ours, "operator": theirs, "count": count}
            for (ours, theirs), count in sorted(report.words.items())
        ],
        "agreement": report.agreement,
        "challenges": [{**vars(one), "ok": one.ok} for one in report.challenges],
        "missing": report.missing,
        "gaps": [vars(gap) for gap in report.gaps],
        "alarm_count": report.alarm_count,
        "alarms": [vars(alarm) for alarm in report.alarms],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def challenge_line(one: ChallengeLine) -> str:
    """Say in a line what known rejects were judged, and name those that were not FAIL."""
    told = f"all {one.shown} are FAIL" if one.ok else f"{one.missed} of {one.shown} are NOT FAIL"
    missed = "".join(f"  {name}" for name in one.missed_names)
    where = f"{one.station}  {one.recipe} v{one.recipe_version}  {one.operator}"
    note = f"  ({one.note})" if one.note else ""
    return f"{local(one.time_ns)}  {printable(where)}  {told}{printable(missed + note)}"


def _account(account: Account) -> dict[str, Any]:
    return {
        "parts": account.parts,
        "passed": account.passed,
        "failed": account.failed,
        "no_verdict": account.no_verdict,
        "bypassed": account.bypassed,
        "yield": account.yield_,
        "latency_ms": vars(account.latency) if account.latency else None,
    }


def _took(account: Account) -> str:
    took = account.latency
    return f"p50 {took.p50:.1f} p99 {took.p99:.1f} ms" if took else ""


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"  {line}" for line in lines]
    return ["", title, *found] if found else []


def _counted(counts: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{name:16s} {count:8d}" for name, count in counts]


def _accounts(accounts: dict[str, Account]) -> list[str]:
    return [
        f"{printable(name):28s} {account.parts:8d} parts  {percent(account.yield_):>9s} yield"
        f"  {account.failed:7d} FAIL  {account.no_verdict:7d} NO_VERDICT  {_took(account)}"
        for name, account in sorted(accounts.items())
    ]


def _course(report: Report) -> list[str]:
    most = max((bucket.account.parts for bucket in report.course), default=0)
    form = "%Y-%m-%d" if report.by_day else "%m-%d %H:%M"
    lines = []
    for bucket in report.course:
        account = bucket.account
        bar = "#" * -(-account.parts * _BAR // most)
        lines.append(
            f"{bucket.start:{form}} {account.parts:8d} parts  {percent(account.yield_):>9s}"
            f"  {_took(account):26s}  {bar}".rstrip()
        )
    return lines


def _places(places: Places) -> list[str]:
    lines = [
        f"{count:6d}  x {left} to {right}, y {top} to {bottom}"
        for (left, top, right, bottom), count in places.top()
    ]
    for strong in places.strongest:
        part = printable(strong.part or "-")
        lines.append(
            f"peak {strong.peak:.3f}  at ({strong.x:.0f}, {strong.y:.0f}),"
            f" {strong.area:.0f} square pixels, seq {strong.seq}, part {part}"
        )
    return lines


def _words(report: Report) -> list[str]:
    if not report.words:
        return []
    lines = [
        f"effad {ours:10s} operator {theirs:6s} {count:8d}"
        for (ours, theirs), count in sorted(report.words.items())
    ]
    return [*lines, f"agreement {percent(report.agreement)}"]


def _gaps(report: Report) -> list[str]:
    lines = [f"{gap.station}: {gap.first} to {gap.last}" for gap in report.gaps[:_GAPS]]
    if len(report.gaps) > _GAPS:
        lines.append(f"and {len(report.gaps) - _GAPS} other gaps")
    return [*lines, f"{report.missing} verdicts in all"] if lines else []


def _alarms(report: Report) -> list[str]:
    return [
        f"{local(alarm.time_ns)}  {alarm.code}  "
        + printable(" ".join(name for name in (alarm.station, alarm.camera) if name))
        + f"  {printable(alarm.text)}"
        for alarm in report.alarms
    ]
