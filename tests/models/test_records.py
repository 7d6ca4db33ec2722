"""Records on disk are strict, and written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.errors import InputError, reports_input_errors
from models.records import Record, write_whole


class Part(Record):
    format: Literal[1] = 1
    name: str
    width: float


def test_round_trip(tmp_path: Path) -> None:
    part = Part(name="Mutter, rostfrei", width=0.1)
    part.write(tmp_path / "part.json")
    assert Part.read(tmp_path / "part.json") == part
    assert os.listdir(tmp_path) == ["part.json"]


@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_any_other_content_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        Part.read(path)
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2, "news": 1}, "format 2 is newer than this effad, which knows 1"),
        ({"colour": "red"}, "unknown key 'colour'; remove or correct it"),
        ({"width": "wide"}, "width = 'wide': Input should be a valid number"),
        ({"width": "wide", "name": 3}, "(and 1 more)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "part.json"
    path.write_text(json.dumps({"name": "nut", "width": 1.0, **change}))
    with pytest.raises(InputError) as refused:
        Part.read(path)
    assert said in str(refused.value)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "part.json").write_text('{"name": "nut", "width": NaN}')
    with pytest.raises(InputError, match="width"):
        Part.read(tmp_path / "part.json")


def test_records_do_not_change() -> None:
    part = Part(name="nut", width=1)
    with pytest.raises(ValidationError, match="frozen"):
        part.name = "bolt"


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "part.json"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_command_reports_input_errors_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    failures: list[BaseException] = [
        InputError("part.json: wrong"),
        PermissionError(13, "Permission denied", "/etc/part.json"),
        KeyboardInterrupt(),
    ]

    @reports_input_errors("effad-nut")
    def main() -> int:
        raise failures[0]

    said = ["error: part.json: wrong", "error: /etc/part.json: Permission denied", "interrupted"]
    for status, line in zip((2, 2, 130), said, strict=True):
        assert main() == status
        assert capsys.readouterr().err.strip() == f"effad-nut: {line}"
        failures.pop(0)


def test_faults_of_the_program_are_not_hidden() -> None:
    @reports_input_errors("effad-nut")
    def main(failure: Exception) -> int:
        raise failure

    for failure in (ZeroDivisionError(), OSError("no file")):
        with pytest.raises(type(failure)):
            main(failure)
