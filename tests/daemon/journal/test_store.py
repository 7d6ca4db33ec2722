"""What is committed is there, once, whatever happens to the process and to the file."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from daemon.journal import (
    AuditEntry,
    Journal,
    JournalError,
    JournalReader,
    LateResult,
    OperatorWord,
)
from daemon.journal.entries import REQUEST_LIMIT
from daemon.journal.filters import Filter
from daemon.messages import Alarm, AlarmCode, Kind, Verdict
from models.errors import InputError
from tests.daemon.journal.entered import entries, entry, filled, opened, region, verdict

PATH = "journal.db"


def seqs(folder: Path, station: str = "nut") -> list[int]:
    with JournalReader(folder) as reader:
        return [row.seq for row in reader.query(Filter(station=station))]


def damaged(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.glob(f"{PATH}.damaged-*")
        if not path.name.endswith(("-wal", "-shm"))
    )


@pytest.mark.parametrize("durability", ["process", "power"])
def test_what_is_committed_is_read_as_published(durability: str, tmp_path: Path) -> None:
    said = entry(verdict(1, Kind.FAIL))
    with Journal.open(tmp_path / "new" / "folder", durability, 7) as journal:  # type: ignore[arg-type]
        journal.commit([said])
        with JournalReader(tmp_path / "new" / "folder") as reader:
            (row,) = reader.query(Filter())
    assert row.header == said.header
    assert Verdict.model_validate_json(row.header) == said.verdict
    assert (row.station, row.seq, row.epoch, row.verdict) == ("nut", 1, 7, Kind.FAIL)
    assert (row.part, row.score, row.latency_ns) == ("P1", 2.0, 20_000_000)


def test_seqs_go_on_over_epochs(tmp_path: Path) -> None:
    with opened(tmp_path, 1) as journal:
        assert (dict(journal.last), journal.previous) == ({}, None)
        journal.commit([*entries(1, 2, 3, epoch=1), *entries(1, station="bolt", epoch=1)])
        journal.ended()
    with opened(tmp_path, 2) as journal:
        assert dict(journal.last) == {"nut": 3, "bolt": 1}
        assert journal.previous is not None
        assert (journal.previous.epoch, journal.previous.orderly) == (1, True)
        journal.commit(entries(4, epoch=2))
    with opened(tmp_path, 3) as journal:
        assert journal.previous is not None
        assert (journal.previous.epoch, journal.previous.orderly) == (2, False)
        assert dict(journal.last) == {"nut": 4, "bolt": 1}
    assert seqs(tmp_path) == [1, 2, 3, 4]


def test_a_verdict_gives_the_previous_epoch_its_newest_time(tmp_path: Path) -> None:
    far = 2**62
    with opened(tmp_path, 1) as journal:
        journal.commit(entries(1, epoch=1, published_ns=far))
    with opened(tmp_path, 2) as journal:
        assert journal.previous is not None
        assert journal.previous.newest_ns == far


def test_a_seq_is_never_used_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit(entries(1))
        with pytest.raises(sqlite3.IntegrityError):
            journal.commit(entries(1))
        with pytest.raises(sqlite3.IntegrityError):
            journal.commit(entries(2, 3, 1))
        journal.commit(entries(2))
    assert seqs(tmp_path) == [1, 2]  # and nothing of the group that failed


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        with pytest.raises(InputError, match=f"{tmp_path} is in use by another effad"):
            opened(tmp_path)
        journal.commit(entries(1))
    with opened(tmp_path) as journal:
        assert dict(journal.last) == {"nut": 1}


def test_a_newer_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, [verdict(1)])
    with sqlite3.connect(tmp_path / PATH) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(InputError, match="format 2 is newer than this effad, which knows 1"):
        opened(tmp_path)
    assert damaged(tmp_path) == []
    with pytest.raises(InputError, match="format 2 is newer"), JournalReader(tmp_path) as reader:
        list(reader.query(Filter()))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"journal folder .*file/below: Not a directory"):
        opened(tmp_path / "file" / "below")


def test_words_beside_verdicts(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit(entries(1, 2, kind=Kind.NO_VERDICT))
        journal.commit([LateResult("nut", 1, "cam", Kind.FAIL, 2.5, (region(5, 6),), 99)])
        for operator, kind in (("Ada", Kind.PASS), ("Bob", Kind.FAIL)):
            journal.override(OperatorWord("nut", 2, kind, operator, "dust", 5, "local"))
        with pytest.raises(InputError, match=r"no verdict 3 of station 'nut' .* newest is 2"):
            journal.override(OperatorWord("nut", 3, Kind.PASS, "Ada", "", 5, "local"))
        with pytest.raises(InputError, match="it has none of that station"):
            journal.override(OperatorWord("bolt", 1, Kind.PASS, "Ada", "", 5, "local"))
    with JournalReader(tmp_path) as reader:
        first, second = reader.query(Filter())
        (only,) = reader.query(Filter(late=True))
    assert only == first
    assert [(late.camera, late.verdict, late.score) for late in first.late] == [
        ("cam", Kind.FAIL, 2.5)
    ]
    assert first.late[0].regions[0]["centroid"] == [5, 6]
    assert first.override is None
    assert second.override is not None
    assert (second.override.operator, second.override.verdict) == ("Bob", Kind.FAIL)
    assert second.late == ()


def test_a_verdict_that_became_late_is_amended_whole(tmp_path: Path) -> None:
    late = entry(verdict(2, Kind.NO_VERDICT))
    beside = LateResult("nut", 2, "cam", Kind.PASS, 0.25, (), 1)
    with opened(tmp_path) as journal:
        journal.commit(entries(1, 2, 3))
        journal.amend([late, beside])
        with JournalReader(tmp_path) as reader:
            rows = list(reader.query(Filter()))
        assert [row.verdict for row in rows] == [Kind.PASS, Kind.NO_VERDICT, Kind.PASS]
        assert (rows[1].header, rows[1].score, len(rows[1].late)) == (late.header, None, 1)
        journal.database.replace_if("as if damaged")
        journal.amend([late, beside])  # it is published: it must be in the journal
    assert seqs(tmp_path) == [2]


def test_commands_and_alarms_are_kept(tmp_path: Path) -> None:
    alarm = Alarm(epoch=1, time_ns=3, code=AlarmCode.BYPASS, station="nut", text="on", since_ns=2)
    with opened(tmp_path) as journal:
        journal.audit(AuditEntry(1, "plc", "Bypass", "nut", "x" * 10_000, False, "not allowed"))
        journal.alarm(alarm)
    with JournalReader(tmp_path) as reader:
        (audit,) = reader.select("SELECT peer, command, request, ok, error FROM audit")
        (kept,) = reader.select("SELECT code, station, camera, text, since_ns FROM alarm")
    assert audit == ("plc", "Bypass", "x" * REQUEST_LIMIT, 0, "not allowed")
    assert kept == ("bypass", "nut", None, "on", 2)


def test_every_thread_may_write(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:

        def write(number: int) -> None:
            for seq in range(1, 51):
                journal.commit(entries(seq, station=f"s{number}"))
                journal.audit(AuditEntry(seq, "p", "GetState", None, "{}", True))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(4):
        assert seqs(tmp_path, f"s{number}") == list(range(1, 51))


def test_a_full_disk_takes_nothing_of_a_commit(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit(entries(1))
        with journal.database.held() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match=r"journal .*: database or disk is full; free space"):
            journal.commit(entries(*range(2, 60)))
        with journal.database.held() as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
        journal.commit(entries(2))
    assert seqs(tmp_path) == [1, 2]


COMMITTER = """
import sys
from pathlib import Path
from daemon.journal import Journal, Keeper, Retention
from tests.daemon.journal.entered import entries
import threading
journal = Journal.open(Path(sys.argv[1]), "process", int(sys.argv[2]))
keeper = Keeper(journal, Retention(1e5, 1e4), checkpoint_s=0.005)
threading.Thread(target=keeper.run, args=(threading.Event(),), daemon=True).start()
seq = journal.last.get("nut", 0)
size = int(sys.argv[3])
while True:
    group = range(seq + 1, seq + 1 + size)
    journal.commit(entries(*group, epoch=int(sys.argv[2])))
    seq = group[-1]
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("size", [1, 7])
def test_kill_9_loses_nothing_that_was_committed(size: int, tmp_path: Path) -> None:
    said = 0
    for round_, wait_for in enumerate((1, 40, 130, 300), start=1):
        command = [sys.executable, "-c", COMMITTER, str(tmp_path), str(round_), str(size)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(wait_for):
                said = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            for line in child.stdout:  # what it still said before it died
                if line.endswith("\n"):
                    said = int(line)
        with opened(tmp_path, 100 + round_) as journal:
            assert journal.set_aside is None
            last = journal.last["nut"]
            assert said <= last <= said + size
            assert last % size == 0  # a group is there whole, or not at all
            assert journal.previous is not None
            assert (journal.previous.epoch, journal.previous.orderly) == (round_, False)
        assert seqs(tmp_path) == list(range(1, last + 1))


def garbage(path: Path) -> None:
    path.write_bytes(b"\x93garbage" * 5000)


def truncated(path: Path) -> None:
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2 - 100)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def overwritten(path: Path) -> None:
    with open(path, "r+b") as file:
        for at in range(100, path.stat().st_size, 3000):
            file.seek(at)
            file.write(b"\xa5\x17\xff\x00" * 64)


def another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [garbage, truncated, emptied, overwritten, another_program, directory]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_at_open(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    filled(tmp_path, [verdict(seq) for seq in range(1, 200)])
    damage(tmp_path / PATH)
    with opened(tmp_path) as journal:
        assert journal.set_aside is not None
        assert journal.set_aside.exists()
        assert journal.set_aside_why
        assert damaged(tmp_path) == [journal.set_aside.name]
        going_on = journal.last.get("nut", 0) + 1
        journal.commit(entries(going_on))
    assert seqs(tmp_path) == [going_on]
    with opened(tmp_path) as journal:
        assert journal.set_aside is None
        assert dict(journal.last) == {"nut": going_on}


@pytest.mark.parametrize("orderly", [False, True])
def test_old_damage_is_looked_for_after_a_disorderly_end(orderly: bool, tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit(entries(*range(1, 1001)))
        if orderly:
            journal.ended()
    with open(tmp_path / PATH, "r+b") as file:
        file.seek(300 * 1024)  # a page that nothing at start reads
        file.write(b"\xff" * 1024)
    with opened(tmp_path) as journal:
        assert (journal.set_aside is None) == orderly
        assert dict(journal.last) == {"nut": 1000}
        journal.commit(entries(1001))


def test_what_a_damaged_file_still_tells_goes_on(tmp_path: Path) -> None:
    filled(tmp_path, [verdict(seq) for seq in range(1, 200)])
    with sqlite3.connect(tmp_path / PATH) as connection:
        connection.execute("DROP TABLE alarm")
    connection.close()
    for _ in range(2):  # and again, though there is no verdict of the station since
        with opened(tmp_path) as journal:
            assert dict(journal.last) == {"nut": 199}
    assert len(damaged(tmp_path)) == 1


def test_a_damaged_tail_of_the_wal_costs_what_was_in_it_only(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as journal:
        for seq in range(1, 100):
            journal.commit(entries(seq))
        shutil.copytree(tmp_path / "live", tmp_path / "copy")
    wal = tmp_path / "copy" / f"{PATH}-wal"
    with open(wal, "r+b") as file:
        file.truncate(wal.stat().st_size - 3000)
    with opened(tmp_path / "copy") as journal:
        assert journal.set_aside is None
        last = journal.last["nut"]
    assert 90 < last < 99
    assert seqs(tmp_path / "copy") == list(range(1, last + 1))


@pytest.mark.parametrize("damage", [garbage, truncated, emptied, overwritten])
def test_a_file_damaged_while_it_runs_is_replaced(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    filled(tmp_path, [verdict(seq) for seq in range(1, 400)])
    told: list[tuple[Path, str]] = []
    with opened(tmp_path, on_set_aside=lambda *found: told.append(found)) as journal:
        journal.commit(entries(400))
        damage(tmp_path / PATH)
        with journal.database.held() as connection:
            connection.execute("PRAGMA shrink_memory")  # what it remembers hides the damage
        seq = 400
        while not told and seq < 2000:
            seq += 1
            journal.commit(entries(seq))
        assert [path for path, _ in told] == [journal.set_aside]
        first = seq  # the one that found it is in the new file, with those that follow
        journal.commit(entries(seq + 1))
        journal.ended()
        with JournalReader(tmp_path) as reader:
            replay = reader.replay("nut", 0, 100, 10**6)
            assert (replay.first, replay.last) == (first, first + 1)
            assert reader.select("SELECT count(*) FROM epoch WHERE ended_ns > 0") == [(1,)]
    with opened(tmp_path) as journal:
        assert dict(journal.last) == {"nut": first + 1}


def test_a_callback_may_use_the_journal(tmp_path: Path) -> None:
    filled(tmp_path, [verdict(1)])

    def tell(aside: Path, why: str) -> None:
        journal.alarm(Alarm(epoch=1, time_ns=1, code=AlarmCode.JOURNAL, text=f"{aside}: {why}"))

    with opened(tmp_path, on_set_aside=tell) as journal:
        shutil.move(tmp_path / PATH, tmp_path / "elsewhere")
        journal.database.replace_if()
        journal.commit(entries(2))
        with JournalReader(tmp_path) as reader:
            ((text,),) = reader.select("SELECT text FROM alarm")
    assert "removed or replaced" in text
    assert seqs(tmp_path) == [2]


def test_seqs_go_on_from_a_file_that_was_replaced(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit([*entries(1, 2, 3), *entries(1, station="bolt")])
        journal.database.replace_if("as if damaged")
        journal.commit(entries(2, station="bolt"))
    with opened(tmp_path) as journal:
        assert dict(journal.last) == {"nut": 3, "bolt": 2}


def test_few_damaged_files_are_kept(tmp_path: Path) -> None:
    asides = []
    for _ in range(5):
        filled(tmp_path, [])
        garbage(tmp_path / PATH)
        with opened(tmp_path) as journal:
            assert journal.set_aside is not None
            asides.append(journal.set_aside.name)
    assert damaged(tmp_path) == sorted(asides[-3:])
