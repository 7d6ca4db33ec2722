"""A report's numbers are those of a plain recount."""

import json
import math
import random
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.journal import JournalReader, LateResult, OperatorWord
from daemon.journal.filters import Filter
from daemon.journal.places import find_places
from daemon.journal.report import Report, report
from daemon.journal.report_html import html
from daemon.journal.report_text import as_json, percent, text
from daemon.messages import Alarm, AlarmCode, Kind, Reason, Verdict
from tests.daemon.journal.entered import START, entry, filled, opened, region, verdict

HOUR = 3600 * 10**9
SINCE, UNTIL = START + HOUR // 2, START + 6 * HOUR
KINDS = [Kind.PASS] * 8 + [Kind.FAIL, Kind.NO_VERDICT]


def said(rng: random.Random, seq: int, station: str) -> Verdict:
    kind = rng.choice(KINDS)
    published = START + seq * 40 * 10**9
    changes: dict[str, Any] = (
        {"reason": rng.choice(list(Reason))} if kind is Kind.NO_VERDICT else {}
    )
    if kind is Kind.FAIL:
        changes["regions"] = [
            region(rng.uniform(0, 640), rng.uniform(0, 480), rng.uniform(1, 5))
            for _ in range(rng.randint(0, 3))
        ]
    return verdict(
        seq,
        kind,
        station,
        published_ns=published,
        triggered_ns=published - rng.randint(10**7, 10**8),
        bypassed=kind is Kind.PASS and rng.random() < 0.1,
        recipe=rng.choice(["a", "b"]),
        recipe_version=rng.randint(1, 2),
        **changes,
    )


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    rng = random.Random(5)  # noqa: S311 (no secret)
    return [said(rng, seq, station) for seq in range(1, 700) for station in ("nut", "bolt")]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, verdicts: list[Verdict]) -> Path:
    folder = tmp_path_factory.mktemp("journal")
    with opened(folder) as journal:
        journal.commit([entry(one) for one in verdicts])
        for one in verdicts:
            if one.reason is Reason.LATE and one.station == "nut":
                journal.commit([LateResult("nut", one.seq, "cam", Kind.PASS, 0.5, (), 1)])
        for seq in range(100, 200):
            for theirs in (Kind.FAIL, Kind.PASS)[seq % 2 :]:
                journal.override(OperatorWord("nut", seq, theirs, "Ada", "", 1, "local"))
        for hour in range(8):
            time_ns = START + hour * HOUR
            station = "bolt" if hour % 2 else None
            alarm = Alarm(
                epoch=1, time_ns=time_ns, code=AlarmCode.BYPASS, station=station, text=f"<{hour}>"
            )
            journal.alarm(alarm)
    return folder


@pytest.fixture(scope="module")
def made(kept: Path) -> Report:
    with JournalReader(kept) as reader:
        return report(reader, Filter(SINCE, UNTIL))


@pytest.fixture(scope="module")
def shift(verdicts: list[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if SINCE <= one.published_ns < UNTIL]


def test_counts(made: Report, shift: list[Verdict]) -> None:
    kinds = Counter(one.verdict for one in shift)
    total = made.total
    assert (total.passed, total.failed, total.no_verdict) == tuple(kinds[kind] for kind in Kind)
    bypassed = sum(one.bypassed for one in shift)
    assert total.bypassed == bypassed > 0
    assert total.yield_ == (kinds[Kind.PASS] - bypassed) / (len(shift) - bypassed)
    assert made.reasons == Counter(str(one.reason) for one in shift if one.reason)
    late = [one for one in shift if one.reason is Reason.LATE and one.station == "nut"]
    assert made.late == len(late) > 0


def test_by_recipe_station_and_hour(made: Report, shift: list[Verdict]) -> None:
    recipes = Counter(f"{one.recipe} v{one.recipe_version}" for one in shift)
    assert {name: account.parts for name, account in made.recipes.items()} == recipes
    stations = Counter(one.station for one in shift if one.verdict is Kind.FAIL)
    assert {name: account.failed for name, account in made.stations.items()} == stations
    hours = Counter(
        datetime.fromtimestamp(one.published_ns // 10**9).replace(minute=0, second=0)
        for one in shift
    )
    assert {bucket.start: bucket.account.parts for bucket in made.course} == hours


def test_latency(made: Report, shift: list[Verdict]) -> None:
    def expected(some: list[Verdict]) -> list[float]:
        took = [(one.published_ns - one.triggered_ns) / 1e6 for one in some]
        return [float(np.percentile(took, share)) for share in (50, 95, 99, 100)]

    assert made.total.latency is not None
    assert list(vars(made.total.latency).values()) == pytest.approx(expected(shift))
    some = [one for one in shift if (one.recipe, one.recipe_version) == ("b", 2)]
    latency = made.recipes["b v2"].latency
    assert latency is not None
    assert list(vars(latency).values()) == pytest.approx(expected(some))


def test_operators(made: Report, shift: list[Verdict]) -> None:
    judged = {one.seq: one.verdict for one in shift if one.station == "nut"}
    expected = Counter((str(judged[seq]), "PASS") for seq in range(100, 200) if seq in judged)
    assert made.words == expected
    agreed = expected["PASS", "PASS"]
    assert made.agreement == agreed / sum(expected.values())


def test_places(made: Report, shift: list[Verdict]) -> None:
    for places in made.places:
        found = [
            found
            for one in shift
            if one.station == places.station
            for view in one.views
            for found in view.regions
        ]
        assert places.regions == len(found) == sum(map(sum, places.grid()))
        cell = places.cell
        where = Counter((int(r.centroid[0] // cell), int(r.centroid[1] // cell)) for r in found)
        grid = places.grid()
        assert all(grid[row][column] == count for (column, row), count in where.items())
        assert max(places.size) <= 10
        (left, top, right, bottom), count = places.top(1)[0]
        assert count == max(where.values()) == where[left // cell, top // cell]
        assert (right - left, bottom - top) == (cell, cell)
        peaks = sorted((r.peak for r in found), reverse=True)[:5]
        assert [strong.peak for strong in places.strongest] == peaks
    assert [places.station for places in made.places] == ["bolt", "nut"]


def test_alarms(made: Report, kept: Path) -> None:
    assert [alarm.text for alarm in made.alarms] == [f"<{hour}>" for hour in range(1, 6)]
    with JournalReader(kept) as reader:
        mine = report(reader, Filter(SINCE, UNTIL, station="nut"))
    assert [alarm.text for alarm in mine.alarms] == ["<2>", "<4>"]


def test_gaps(made: Report, kept: Path, tmp_path: Path, verdicts: list[Verdict]) -> None:
    assert (made.gaps, made.missing) == ([], 0)
    lost = {("nut", 50), ("nut", 51), ("nut", 60), ("bolt", 300), ("bolt", 699)}
    with opened(tmp_path) as journal:
        journal.commit([entry(one) for one in verdicts if (one.station, one.seq) not in lost])
    with JournalReader(tmp_path) as reader:
        found = report(reader, Filter(since_ns=START))
    assert {(gap.station, gap.first, gap.last) for gap in found.gaps} == {
        ("nut", 50, 51),
        ("nut", 60, 60),
        ("bolt", 300, 300),
    }
    assert found.missing == 4
    assert "nut: 50 to 51" in text(found)
    assert "4 verdicts are missing from the journal" in html(found)


def test_a_report_of_nothing(kept: Path) -> None:
    with JournalReader(kept) as reader:
        empty = report(reader, Filter(since_ns=1, until_ns=2))
    assert (empty.total.parts, empty.total.yield_, empty.course) == (0, None, [])
    for form in (text, html, as_json):
        assert form(empty)


def test_a_long_interval_is_told_by_day(kept: Path, shift: list[Verdict]) -> None:
    with JournalReader(kept) as reader:
        everything = report(reader, Filter())
        long = report(reader, Filter(since_ns=START - 100 * HOUR, until_ns=UNTIL))
    assert everything.since_ns == START + 40 * 10**9
    assert long.by_day
    assert sum(bucket.account.parts for bucket in long.course) == long.total.parts
    assert "by day" in text(long)


def test_json_and_text_say_the_same(made: Report) -> None:
    document = json.loads(as_json(made))
    assert document["total"]["parts"] == made.total.parts
    assert document["total"]["latency_ms"]["p99"] == pytest.approx(vars(made.total.latency)["p99"])
    assert document["words"][0] == {
        "effad": "FAIL",
        "operator": "PASS",
        "count": made.words["FAIL", "PASS"],
    }
    lines = text(made)
    assert re.search(rf"FAIL +{made.total.failed}\n", lines)
    assert percent(made.total.yield_) in lines
    assert "<3>" in lines


def test_the_page_is_whole_and_loads_nothing(made: Report) -> None:
    page = html(made)
    assert "&lt;3&gt;" in page  # what others wrote is no markup
    assert "<3>" not in page
    assert not re.search(r"https?:|src=|href=|url\(|@import|<script", page)
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 3
    bars = ElementTree.fromstring(pictures[0])  # noqa: S314 (our own)
    titles = [title.text or "" for title in bars.iter("title")]
    assert sum(int(re.findall(r"(\d+) FAIL", title)[0]) for title in titles) == made.total.failed
    grid = ElementTree.fromstring(pictures[1])  # noqa: S314
    counts = [
        int(node.text or "") for node in grid.iter("text") if "count" in node.get("class", "")
    ]
    assert sum(counts) == made.places[0].regions


@pytest.mark.parametrize(
    ("share", "told"), [(None, "-"), (1.0, "100.00 %"), (0.999999, "99.99 %"), (0.5, "50.00 %")]
)
def test_what_is_not_whole_is_not_called_so(share: float | None, told: str) -> None:
    assert percent(share) == told


def test_regions_at_the_border_are_counted(tmp_path: Path) -> None:
    corners = [region(0, 0), region(1279.9, 959.9), region(-1, -2)]
    with opened(tmp_path) as journal:
        journal.commit([entry(verdict(1, Kind.FAIL, regions=corners))])
    with JournalReader(tmp_path) as reader:
        (places,) = find_places(reader.query(Filter()))
    grid = places.grid()
    assert (grid[0][0], grid[-1][-1], places.regions, places.parts) == (2, 1, 3, 1)
    assert math.prod(places.size) == len(grid) * len(grid[0])


def test_parts_of_a_station_without_a_recipe_are_told_as_such(tmp_path: Path) -> None:
    none: dict[str, Any] = {
        "recipe": None,
        "recipe_version": None,
        "bundle": None,
        "calibration": None,
    }
    filled(tmp_path, [verdict(1, Kind.NO_VERDICT, reason=Reason.NO_RECIPE, **none)])
    with JournalReader(tmp_path) as reader:
        made = report(reader, Filter())
    assert set(made.recipes) == {"-"}
    assert made.reasons == {"no_recipe": 1}
