"""The journal stays within its bounds while it is written and read."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.channel import Crew
from daemon.journal import AuditEntry, Journal, JournalReader, Keeper, LateResult, Retention
from daemon.journal import checkpoint as checkpoints
from daemon.journal.checkpoint import Checkpointer
from daemon.journal.entries import OperatorWord
from daemon.journal.filters import Filter
from daemon.messages import Alarm, AlarmCode, Kind
from tests.daemon.journal.entered import LIMIT, entries, opened

DAY = 86_400 * 10**9
NEVER = threading.Event()
ALL = Retention(days=1e5, megabytes=1e4)


def until(ready: Callable[[], object], what: str) -> None:
    """Wait for a state."""
    end = time.monotonic() + LIMIT
    while not ready():
        assert time.monotonic() < end, what
        os.sched_yield()


def seqs(folder: Path, station: str = "nut") -> list[int]:
    with JournalReader(folder) as reader:
        return [row.seq for row in reader.query(Filter(station=station))]


def commit(journal: Journal, seqs: range, days_old: float, station: str = "nut") -> None:
    published = time.time_ns() - int(days_old * DAY)
    journal.commit(entries(*seqs, station=station, published_ns=published))


def test_what_is_too_old_goes_with_what_was_said_of_it(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        commit(journal, range(1, 351), 11)
        commit(journal, range(351, 361), 9)
        for seq in (350, 351):
            journal.commit([LateResult("nut", seq, "cam", Kind.PASS, 0.5, (), 1)])
            journal.override(OperatorWord("nut", seq, Kind.PASS, "Ada", "", 1, "p"))
        now = time.time_ns()
        for age in (11, 9):
            journal.audit(AuditEntry(now - age * DAY, "p", "Bypass", None, str(age), True))
            alarm = Alarm(epoch=1, time_ns=now - age * DAY, code=AlarmCode.BYPASS, text=str(age))
            journal.alarm(alarm)
        Keeper(journal, Retention(10, 1e4)).tidy(NEVER)
        with JournalReader(tmp_path) as reader:
            assert reader.select("SELECT seq FROM late") == [(351,)]
            assert reader.select("SELECT seq FROM override") == [(351,)]
            assert reader.select("SELECT request FROM audit") == [("9",)]
            assert reader.select("SELECT text FROM alarm") == [("9",)]
    assert seqs(tmp_path) == list(range(351, 361))


def test_the_newest_of_a_station_stays_whatever_its_age(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        commit(journal, range(1, 4), 400, "idle")
        commit(journal, range(1, 301), 100)
        Keeper(journal, Retention(1, 1e4)).tidy(NEVER)
        assert (seqs(tmp_path), seqs(tmp_path, "idle")) == ([300], [3])
        commit(journal, range(301, 303), 0)
        Keeper(journal, Retention(1, 0.001)).tidy(NEVER)  # less than the tables alone take
    assert (seqs(tmp_path), seqs(tmp_path, "idle")) == ([302], [3])
    with opened(tmp_path) as journal:
        assert dict(journal.last) == {"nut": 302, "idle": 3}


def test_a_clock_that_was_wrong_makes_no_hole(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        commit(journal, range(1, 4), 0)
        commit(journal, range(4, 6), 1000)
        commit(journal, range(6, 8), 0)
        Keeper(journal, Retention(10, 1e4)).tidy(NEVER)
        with JournalReader(tmp_path) as reader:
            replay = reader.replay("nut", 0, 100, 10**6)
    assert (len(replay.headers), replay.first, replay.last) == (7, 1, 7)


def test_a_journal_that_is_too_large_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with opened(tmp_path) as journal:
        commit(journal, range(1, 1501), 0)
        checkpointer = Checkpointer(journal.database)
        checkpointer.run()
        assert path.stat().st_size > 1_500_000
        Keeper(journal, Retention(1e5, 1.0)).tidy(NEVER)
        checkpointer.run()
        assert 800_000 < path.stat().st_size <= 1_000_000
        checkpointer.close()
        left = seqs(tmp_path)
        assert left == list(range(left[0], 1501))
        assert len(left) > 400
        with journal.database.held() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_it_keeps_while_others_write_and_read(tmp_path: Path) -> None:
    stop = threading.Event()
    crew = Crew(stop.set)

    def read() -> None:
        with JournalReader(tmp_path) as reader:
            while not stop.is_set():
                replay = reader.replay("nut", 0, 50, 10**6)
                if replay.first is not None and replay.last is not None:
                    assert len(replay.headers) == min(50, replay.last - replay.first + 1)
                found = [row.seq for row in reader.query(Filter(limit=60))]
                assert found == list(range(found[0], found[0] + len(found))) if found else True

    with opened(tmp_path) as journal:
        keeper = Keeper(journal, Retention(1e5, 0.3), checkpoint_s=0.01, retention_s=0.02)
        crew.start("keeper", lambda: keeper.run(stop))
        crew.start("reader", read)
        end = time.monotonic() + LIMIT
        seq = 0
        while seq < 1500 or seqs(tmp_path)[0] < 1000:
            crew.check()
            assert time.monotonic() < end, "nothing is removed"
            seq += 1
            commit(journal, range(seq, seq + 1), 0)
        stop.set()
        assert crew.join(LIMIT) == []
        crew.check()
        keeper.tidy(NEVER)
    assert (tmp_path / "journal.db").stat().st_size <= 300_000
    assert seqs(tmp_path)[-1] == seq


def synchronous(journal: Journal) -> int:
    with journal.database.held() as connection:
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
    return int(level)


def test_checkpoints_empty_the_wal_unless_a_reader_is_in_the_way(tmp_path: Path) -> None:
    wal = tmp_path / "journal.db-wal"
    with opened(tmp_path) as journal:
        checkpointer = Checkpointer(journal.database)
        commit(journal, range(1, 101), 0)
        assert wal.stat().st_size > 50_000
        checkpointer.run()
        assert wal.stat().st_size == 0
        assert synchronous(journal) == 0
        commit(journal, range(101, 102), 0)
        with journal.database.held():
            reading = journal.database.beside()
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM verdict").fetchone()
        checkpointer.run()
        # The WAL may now begin anew without having been truncated: its header must be synced.
        assert wal.stat().st_size > 0
        assert synchronous(journal) == 1
        reading.close()
        commit(journal, range(102, 103), 0)
        checkpointer.run()
        assert wal.stat().st_size == 0
        assert synchronous(journal) == 0
        checkpointer.close()
    assert seqs(tmp_path) == list(range(1, 103))


def test_the_wal_never_begins_anew_over_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit after the last page was written to the database, before the WAL is truncated."""
    with opened(tmp_path) as journal:
        commit(journal, range(1, 101), 0)
        wal = tmp_path / "journal.db-wal"
        checkpointer = Checkpointer(journal.database)
        salts = set()
        truncate = journal.database.truncate

        def late(*connections: object) -> None:
            salts.add(wal.read_bytes()[16:24])
            truncate(*connections)  # type: ignore[arg-type]

        monkeypatch.setattr(journal.database, "truncate", late)
        original = checkpointer._connected

        class Slow:
            """Commits once more as soon as a pass has written all to the database."""

            def __init__(self, connection: object) -> None:
                self._connection = connection

            def execute(self, sql: str) -> object:
                result = self._connection.execute(sql)  # type: ignore[attr-defined]
                if "PASSIVE" in sql and len(salts) == 0 and not seen:
                    seen.append(wal.read_bytes()[16:24])
                    commit(journal, range(101, 102), 0)
                    seen.append(wal.read_bytes()[16:24])
                return result

        seen: list[bytes] = []
        monkeypatch.setattr(
            checkpointer, "_connected", lambda: (Slow(original()[0]), original()[1])
        )
        checkpointer._pass()
        assert seen[0] == seen[1]  # the same salt: it went on behind what was there
        checkpointer.close()


def test_a_wal_that_grows_too_long_is_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "FORCED", 10_000)
    monkeypatch.setattr(checkpoints, "_PASSES", 0)  # as if commits always came between
    with opened(tmp_path) as journal:
        checkpointer = Checkpointer(journal.database)
        checkpointer._connected()
        commit(journal, range(1, 101), 0)
        checkpointer.run()
        assert (tmp_path / "journal.db-wal").stat().st_size == 0
        checkpointer.close()


def test_a_file_that_somebody_removed_is_begun_anew(tmp_path: Path) -> None:
    stop = threading.Event()
    told: list[str] = []
    with opened(tmp_path, on_set_aside=lambda _, why: told.append(why)) as journal:
        commit(journal, range(1, 10), 0)
        keeper = Keeper(journal, ALL, checkpoint_s=0.01)
        thread = threading.Thread(target=keeper.run, args=(stop,))
        thread.start()
        (tmp_path / "journal.db").unlink()
        until(lambda: told, "nobody noticed")
        commit(journal, range(10, 11), 0)
        with JournalReader(tmp_path) as reader:
            assert reader.replay("nut", 0, 100, 10**6).first == 10
        stop.set()
        thread.join(LIMIT)
    with opened(tmp_path) as journal:
        assert dict(journal.last) == {"nut": 10}
