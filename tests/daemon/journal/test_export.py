"""Other programs read what was exported, whatever text a PLC sends."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from daemon.journal import JournalReader, LateResult, OperatorWord, historical
from daemon.journal.export import COLUMNS, flat, whole, write_csv, write_jsonl, write_parquet
from daemon.journal.filters import Filter, Row
from daemon.messages import Kind, Part, Reason
from models.errors import InputError
from tests.daemon.journal.entered import START, entry, opened, region, verdict

AWKWARD = [
    'say "hello", twice',
    "two\nlines\r\nand\rmore",
    "=HYPERLINK(1;2)",
    "+1",
    "-1",
    "@SUM(A1)",
    "\ttab",
    "'quoted",
    " ; ",
    "Maß ∅ 3 µm 部品",
    "a\0b",
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("journal")
    with opened(folder) as journal:
        for seq, text in enumerate(AWKWARD, start=1):
            part = Part(id=text, lot=text, serial=text)
            journal.commit([entry(verdict(seq, Kind.FAIL, part=part))])
        journal.commit([entry(verdict(100, Kind.NO_VERDICT, reason=Reason.LATE, part=Part()))])
        journal.commit([LateResult("nut", 100, "cam", Kind.FAIL, 2.5, (region(),), 99)])
        journal.override(OperatorWord("nut", 1, Kind.PASS, "=Ada", "a\n,b", 5, "local"))
    with JournalReader(folder) as reader:
        return list(reader.query(Filter()))


def from_csv(cell: str) -> str:
    return cell.removeprefix("'") if cell.startswith("'") else cell


def test_csv_gives_back_what_was_written(rows: list[Row]) -> None:
    file = io.BytesIO()
    write_csv(rows, file)
    read = list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))
    assert len(read) == len(rows)
    for found, row in zip(read, rows, strict=True):
        expected = {name: "" if v is None else str(v) for name, v in flat(row).items()}
        assert {name: from_csv(cell) for name, cell in found.items()} == expected
        for name, cell in found.items():
            if COLUMNS[name] is str:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(text=st.text(st.characters(codec="utf-8"), max_size=256))
def test_any_text_comes_back_from_csv(text: str, rows: list[Row]) -> None:
    file = io.BytesIO()
    write_csv([replace(rows[0], part=text)], file)
    (read,) = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
    assert from_csv(read["part"]) == text
    assert not read["part"].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_jsonl_is_what_was_published_and_said_since(rows: list[Row]) -> None:
    file = io.BytesIO()
    write_jsonl(rows, file)
    lines = file.getvalue().decode().split("\n")
    assert lines.pop() == ""
    for line, row in zip(lines, rows, strict=True):
        document = json.loads(line)
        late, word = document.pop("late"), document.pop("override")
        assert document == historical(row.header)
        assert (word is None) == (row.override is None)
        assert [result["score"] for result in late] == [result.score for result in row.late]
    assert json.loads(lines[0])["override"]["operator"] == "=Ada"
    assert json.loads(lines[-1])["late"][0]["regions"][0]["centroid"] == [10, 20]


def test_parquet_keeps_types(rows: list[Row], tmp_path: Path) -> None:
    with whole(tmp_path / "rows.parquet") as file:
        write_parquet(rows, file)
    assert parquet.read_table(tmp_path / "rows.parquet").to_pylist() == [flat(row) for row in rows]


def test_an_empty_export_has_its_columns(tmp_path: Path) -> None:
    with whole(tmp_path / "rows.parquet") as file:
        write_parquet([], file)
    assert parquet.read_table(tmp_path / "rows.parquet").column_names == list(COLUMNS)
    lines = io.BytesIO()
    write_csv([], lines)
    assert lines.getvalue().decode() == ",".join(COLUMNS) + "\r\n"


def test_flat_values(rows: list[Row]) -> None:
    first, last = flat(rows[0]), flat(rows[-1])
    assert list(first) == list(COLUMNS)
    assert first["triggered_ns"] == START + 1_000_000 - 20_000_000
    assert (first["region_x"], first["region_y"], first["latency_ms"]) == (10, 20, 20.0)
    assert (last["reason"], last["score"], last["regions"]) == ("late", None, 0)


def test_a_file_is_written_whole_or_not_at_all(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def breaks() -> Iterator[Row]:
        yield from rows
        raise InputError("the journal broke")

    with pytest.raises(InputError, match="broke"), whole(path) as file:
        write_csv(breaks(), file)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with (
        pytest.raises(InputError, match=r"cannot write .*: No such file"),
        whole(path / ".." / "a" / "b"),
    ):
        pass
