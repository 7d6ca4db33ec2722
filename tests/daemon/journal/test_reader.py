"""The journal as others see it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.journal import JournalReader, historical
from daemon.journal.filters import Filter, Row
from daemon.messages import Kind, Part, Reason, Verdict
from models.errors import InputError
from tests.daemon.journal.entered import START, entries, entry, filled, opened, verdict

FIRST, LAST = 11, 70  # of station nut: what was before is gone
MS = 1_000_000


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journal")
    said = [verdict(seq) for seq in range(FIRST, LAST + 1)]
    filled(folder, [*said, *(verdict(seq, station="bolt") for seq in range(1, 9))])
    return folder


@pytest.fixture(scope="module")
def reader(kept: Path) -> JournalReader:
    return JournalReader(kept)


def seqs(headers: list[bytes]) -> list[int]:
    return [json.loads(header)["seq"] for header in headers]


@given(after=st.integers(0, LAST + 5), limit=st.integers(1, 80), max_bytes=st.integers(1, 50_000))
def test_pages_of_a_replay_are_the_whole_history(
    after: int, limit: int, max_bytes: int, reader: JournalReader
) -> None:
    found: list[int] = []
    at, more = after, True
    while more:
        page = reader.replay("nut", at, limit, max_bytes)
        assert (page.first, page.last) == (FIRST, LAST)
        assert len(page.headers) <= limit
        assert len(page.headers) == 1 or sum(map(len, page.headers)) <= max_bytes
        assert page.headers or not page.more
        found += seqs(page.headers)
        at, more = (found or [after])[-1], page.more
    assert found == list(range(max(after + 1, FIRST), LAST + 1))


def test_a_station_without_verdicts(reader: JournalReader) -> None:
    replay = reader.replay("none", 0, 5, 100)
    assert (replay.headers, replay.first, replay.last, replay.more) == ([], None, None, False)
    assert reader.epoch_of("none", 1) is None
    assert reader.epoch_of("bolt", 8) == 7


def test_a_replayed_verdict_is_marked_and_else_the_same(reader: JournalReader) -> None:
    (header,) = reader.replay("bolt", 7, 5, 10**6).headers
    document = historical(header)
    assert document.pop("historical") is True
    assert {**document, "historical": False} == json.loads(header)
    assert Verdict.model_validate(historical(header)).historical


def found(reader: JournalReader, wanted: Filter) -> list[tuple[str, int]]:
    return [(row.station, row.seq) for row in reader.query(wanted)]


def test_a_limit_gives_the_newest_oldest_first(reader: JournalReader) -> None:
    assert found(reader, Filter(station="nut", limit=3)) == [("nut", n) for n in (68, 69, 70)]
    assert len(found(reader, Filter(limit=1000))) == 68
    assert found(reader, Filter(station="bolt", limit=1)) == [("bolt", 8)]


def test_equal_times_at_a_page_or_limit(tmp_path: Path) -> None:
    filled(tmp_path, [verdict(seq, published_ns=START) for seq in range(1, 1201)])
    with JournalReader(tmp_path) as reader:
        assert [seq for _, seq in found(reader, Filter())] == list(range(1, 1201))
        assert [seq for _, seq in found(reader, Filter(limit=700))] == list(range(501, 1201))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(since_ns=START + 69 * MS), {69, 70}),
        (Filter(station="nut", until_ns=START + 13 * MS), {11, 12}),
        (Filter(part="P40"), {40}),
        (Filter(part="P4", recipe="nut-m8"), {4}),
        (Filter(recipe="other"), set()),
        (Filter(verdict=Kind.FAIL), set()),
        (Filter(reason=Reason.LATE), set()),
        (Filter(lot="L"), set()),
        (Filter(late=True), set()),
    ],
)
def test_filters(wanted: Filter, expected: set[int], reader: JournalReader) -> None:
    assert {seq for _, seq in found(reader, wanted)} == expected


def test_other_filters(tmp_path: Path) -> None:
    part = Part(id="P'; DROP TABLE verdict; --", lot="L\n1", serial="=S")
    filled(
        tmp_path,
        [
            verdict(1, Kind.FAIL, part=part),
            verdict(2, Kind.NO_VERDICT, reason=Reason.OVERRUN),
            verdict(3, Kind.NO_VERDICT, reason=Reason.LATE, recipe="other"),
        ],
    )
    with JournalReader(tmp_path) as reader:
        for wanted in (
            Filter(part=part.id),
            Filter(lot=part.lot),
            Filter(serial=part.serial),
            Filter(verdict=Kind.FAIL),
        ):
            assert found(reader, wanted) == [("nut", 1)]
        assert found(reader, Filter(reason=Reason.OVERRUN)) == [("nut", 2)]
        assert found(reader, Filter(verdict=Kind.NO_VERDICT, recipe="other")) == [("nut", 3)]


def test_indexes_are_used(reader: JournalReader) -> None:
    def plan(wanted: Filter) -> str:
        where, given = wanted.where()
        sql = f"EXPLAIN QUERY PLAN SELECT 1 FROM verdict v WHERE {where}"  # noqa: S608
        return str(reader.select(sql + " ORDER BY published_ns, id LIMIT 9", given))

    assert "verdict_part" in plan(Filter(part="P1"))
    assert "verdict_published" in plan(Filter(since_ns=1, until_ns=2))


def test_it_reads_while_the_daemon_writes(tmp_path: Path) -> None:
    with opened(tmp_path) as journal, JournalReader(tmp_path) as reader:
        for seq in range(1, 50):
            journal.commit(entries(seq))
            assert reader.replay("nut", seq - 1, 5, 10**6).last == seq
        rows = reader.query(Filter())
        first = next(rows)
        journal.commit(entries(50))
        assert [row.seq for row in (first, *rows)] == list(range(1, 50))  # not without end


def test_it_follows_to_the_file_that_replaced_a_damaged_one(tmp_path: Path) -> None:
    with opened(tmp_path) as journal, JournalReader(tmp_path) as reader:
        journal.commit(entries(1, 2))
        assert reader.replay("nut", 0, 5, 10**6).last == 2
        journal.database.replace_if("as if damaged")
        journal.commit(entries(3))
        replay = reader.replay("nut", 0, 5, 10**6)
        assert (replay.first, replay.last) == (3, 3)
        shutil.move(tmp_path / "journal.db", tmp_path / "gone")
        with pytest.raises(InputError, match="No such file"):
            reader.replay("nut", 0, 5, 10**6)
        journal.database.replace_if()
        assert reader.replay("nut", 0, 5, 10**6).last is None


def test_a_damaged_file_is_one_line(kept: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kept, tmp_path / "copy")
    with open(folder / "journal.db", "r+b") as file:
        file.seek(1024)
        file.write(os.urandom(30_000))
    with pytest.raises(InputError, match=r"journal\.db: .*; is it a journal"):
        list(JournalReader(folder).query(Filter()))
    (folder / "journal.db").write_text("not a journal, but long enough to be read as one " * 9)
    with pytest.raises(InputError, match="file is not a database"):
        list(JournalReader(folder).query(Filter()))


def test_who_may_not_write_to_the_folder_may_read(kept: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("gives up root's rights")
    with tempfile.TemporaryDirectory() as open_to_all:  # pytest's own are not
        Path(open_to_all).chmod(0o755)
        folder = shutil.copytree(kept, Path(open_to_all, "copy"))
        folder.chmod(0o755)
        assert last_as_nobody(folder) == LAST
        with opened(folder) as journal:
            journal.commit([entry(verdict(LAST + 1))])
            assert last_as_nobody(folder) == LAST + 1


def last_as_nobody(folder: Path) -> int:
    """Read the newest seq in a process without any rights."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from daemon.journal import JournalReader\n"
        "os.setuid(65534)\n"
        "print(JournalReader(Path(sys.argv[1])).replay('nut', 0, 99, 10**6).last)"
    )

    command = [sys.executable, "-c", program, str(folder)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_row_has_all_that_the_verdict_has(reader: JournalReader) -> None:
    row = next(iter(reader.query(Filter(station="bolt"))))
    assert isinstance(row, Row)
    said = Verdict.model_validate(row.document)
    assert (row.recipe, row.recipe_version) == (said.recipe, said.recipe_version)
    assert (row.score, row.bypassed, row.published_ns) == (said.score, False, said.published_ns)
