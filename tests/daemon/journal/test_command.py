"""effad-journal as it is used."""

import csv
import io
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from daemon.journal import default_folder
from daemon.journal.command import main
from daemon.journal.options import moment
from daemon.messages import Kind, Part
from tests.daemon.journal.entered import filled, verdict


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    now = int(datetime.now().timestamp()) * 10**9
    hours = {1: 5, 2: 3, 3: 1, 4: 0}
    kinds = {1: Kind.PASS, 2: Kind.FAIL, 3: Kind.NO_VERDICT, 4: Kind.PASS}
    filled(
        folder,
        [
            verdict(
                seq,
                kinds[seq],
                published_ns=now - hours[seq] * 3600 * 10**9,
                part=Part(id=f"P{seq}", lot=f"L{seq // 3}"),
            )
            for seq in kinds
        ],
    )
    return folder


def exported(capfdbinary: pytest.CaptureFixture[bytes], *options: str) -> list[int]:
    assert main(["export", *options]) == 0
    read = csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline=""))
    return [int(row["seq"]) for row in read]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [1, 2, 3, 4]),
        (["--since", "4h"], [2, 3, 4]),
        (["--since", "4h", "--until", "30m"], [2, 3]),
        (["--verdict", "fail"], [2]),
        (["--reason", "late"], [3]),
        (["--lot", "L1", "--limit", "1"], [4]),
        (["--part", "P2", "--station", "nut", "--recipe", "nut-m8"], [2]),
        (["--serial", "x"], []),
    ],
)
def test_which_verdicts(
    options: list[str],
    expected: list[int],
    kept: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert exported(capfdbinary, "--journal", str(kept), *options) == expected


def test_a_list_for_people(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "--journal", str(kept), "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["FAIL" in line for line in lines] == [False, True, False, False]
    assert "NO_VERDICT(late)" in lines[2]
    assert "P4" in lines[3]
    assert "(10, 20) cam" in lines[1]


def test_part_ids_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path, [verdict(1, part=Part(id="\x1b[2J[bold]P1"))])
    assert main(["query", "--journal", str(tmp_path)]) == 0
    assert "?[2J[bold]P1" in capsys.readouterr().out


def test_nothing_found_is_no_failure(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "--journal", str(kept), "--part", "P9"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "effad-journal: no such verdict\n")


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_report_to_a_file(form: str, kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "report"
    given = ["--journal", str(kept), "--format", form, "--output", str(path)]
    assert main(["report", "--since", "4h", *given]) == 0
    content = path.read_text()
    if form == "json":
        assert json.loads(content)["total"]["parts"] == 3
    else:
        assert "effad report" in content


def test_parquet(
    kept: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pyarrow import parquet

    given = ["export", "--journal", str(kept), "--format", "parquet"]
    path = tmp_path / "rows.parquet"
    assert main(given) == 2
    assert capsys.readouterr().err == (
        "effad-journal: error: --format parquet needs --output FILE: it is no text\n"
    )
    assert main([*given, "--output", str(path)]) == 0
    assert parquet.read_table(path).num_rows == 4
    path.unlink()
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    assert main([*given, "--output", str(path)]) == 2
    assert "install effad[parquet]" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["query", "--since", "yesterday"], "'yesterday' is no time"),
        (["query", "--since", "99999999999d"], "is no time"),
        (["query", "--verdict", "GOOD"], "invalid choice"),
        (["query", "--limit", "0"], "at least 1"),
        (["query", "--limit", "100000"], "--limit: at most 10000; use export for more"),
        (["query", "--journal", "/nowhere"], "/nowhere/journal.db: No such file or directory"),
        (["export", "--output", "/nowhere/x"], "/nowhere/x: No such file or directory"),
    ],
)
def test_wrong_usage_is_one_line(
    options: list[str],
    words: str,
    kept: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(kept))
    try:
        status = main(options)
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("effad-journal")
    assert words in last


def test_a_reader_that_has_had_enough_is_no_failure(kept: Path) -> None:
    command = [sys.executable, "-m", "daemon.journal.command", "export", "--journal", str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_where_the_journal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert default_folder() == Path("/xdg/effad")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # which its rules say to ignore
    assert default_folder() == Path.home() / ".local/state/effad"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/effad:/var/lib/other")
    assert default_folder() == Path("/var/lib/effad")


def test_times() -> None:
    now = datetime.now().timestamp() * 1e9
    assert moment("90m") == pytest.approx(now - 5400e9, abs=10e9)
    assert moment("1.5h") == pytest.approx(now - 5400e9, abs=10e9)
    assert moment("2026-11-24T06:00:00.5Z") == 1_795_500_000_500_000_000
    assert moment("2026-11-24") == datetime(2026, 11, 24).timestamp() * 1e9


def test_it_does_not_load_torch() -> None:
    program = "import sys, daemon.journal.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
