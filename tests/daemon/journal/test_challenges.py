"""What known rejects were judged is found again, in a shift's report."""

import json
import sqlite3
import threading
import time
from pathlib import Path

from daemon.journal import ChallengeEntry, Journal, JournalReader
from daemon.journal.challenges import challenges
from daemon.journal.filters import Filter
from daemon.journal.keeper import Keeper, Retention
from daemon.journal.report import report
from daemon.journal.report_html import html
from daemon.journal.report_text import as_json, text
from tests.daemon.journal.entered import START, opened

HOUR = 3600 * 10**9
SHIFT = Filter(since_ns=START, until_ns=START + HOUR)


def entry(time_ns: int, missed: int = 0, **changes: str) -> ChallengeEntry:
    results = [
        {"name": "dent", "verdict": "FAIL", "score": 1.5, "threshold": 1.0},
        {"name": "<b>", "verdict": "PASS" if missed else "FAIL", "score": 0.25, "threshold": 1.0},
    ]
    known: dict[str, str] = {"station": "nut", "operator": "Ada", "recipe": "m8", "note": "early"}
    return ChallengeEntry(
        time_ns=time_ns,
        recipe_version=3,
        shown=2,
        missed=missed,
        results=json.dumps(results),
        peer="line",
        **{**known, **changes},
    )


def kept(folder: Path, *entries: ChallengeEntry) -> None:
    with opened(folder) as journal:
        for one in entries:
            journal.challenge(one)


def test_a_shift_has_its_own(tmp_path: Path) -> None:
    kept(
        tmp_path,
        entry(START - 1),
        entry(START + 1, missed=1),
        entry(START + 2, station="bolt"),
        entry(START + 3, recipe="m10"),
        entry(START + HOUR),
    )
    with JournalReader(tmp_path) as reader:
        found = challenges(reader, SHIFT)
        assert [one.time_ns - START for one in found] == [1, 2, 3]
        assert [one.ok for one in found] == [False, True, True]
        assert found[0].missed_names == ["<b>: PASS, score 0.250 < 1.000"]
        only = Filter(since_ns=START, until_ns=START + HOUR, station="nut", recipe="m8")
        assert [one.time_ns - START for one in challenges(reader, only)] == [1]


def test_every_report_tells(tmp_path: Path) -> None:
    kept(tmp_path, entry(START + 1, missed=1), entry(START + 2))
    with JournalReader(tmp_path) as reader:
        made = report(reader, SHIFT)
    lines = text(made)
    assert "nut  m8 v3  Ada  1 of 2 are NOT FAIL  <b>: PASS, score 0.250 < 1.000  (early)" in lines
    assert "all 2 are FAIL" in lines
    told = json.loads(as_json(made))["challenges"]
    assert [(one["ok"], one["missed"], one["recipe"]) for one in told] == [
        (False, 1, "m8"),
        (True, 0, "m8"),
    ]
    page = html(made)
    assert "challenge:" in page, "among the warnings"
    assert "&lt;b&gt;: PASS" in page
    assert "<b>:" not in page


def test_a_journal_of_an_older_effad_is_read_and_gone_on_with(tmp_path: Path) -> None:
    kept(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("DROP TABLE challenge")
    connection.close()
    with JournalReader(tmp_path) as reader:
        assert challenges(reader, SHIFT) == []
    with opened(tmp_path) as journal:
        assert journal.set_aside is None, "a journal without that table is none the worse"
        journal.challenge(entry(START + 1))
    with JournalReader(tmp_path) as reader:
        assert len(challenges(reader, SHIFT)) == 1


def test_they_are_kept_as_long_as_the_rest(tmp_path: Path) -> None:
    now = time.time_ns()
    with Journal.open(tmp_path, "process", now) as journal:
        journal.challenge(entry(now - 3 * 24 * HOUR))
        journal.challenge(entry(now))
        Keeper(journal, Retention(days=2, megabytes=100)).tidy(threading.Event())
    with JournalReader(tmp_path) as reader:
        found = challenges(reader, Filter(since_ns=0, until_ns=now + 1))
    assert [one.time_ns for one in found] == [now]
