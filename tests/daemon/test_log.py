"""Logging, through real streams."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon import log


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    logging.captureWarnings(False)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    logger = log.get("effad.camera")  # before configure, as modules do
    log.configure(stream=stream, camera="cam1")
    before = datetime.now(UTC)
    worker = threading.Thread(target=lambda: logger.info("frame\nlost", frame=7), name="fetch")
    worker.start()
    worker.join()
    (line,) = lines(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() is not None
    assert before <= at <= datetime.now(UTC)
    assert line == {
        "level": "info",
        "event": "frame\nlost",
        "logger": "effad.camera",
        "thread_name": "fetch",
        "camera": "cam1",
        "frame": 7,
    }


def test_standard_logging_goes_the_same_way() -> None:
    stream = io.StringIO()
    log.configure(stream=stream, camera="cam1")
    logging.getLogger("vendor.core").warning("lost %s", "it", extra={"module_name": "TL"})
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == (
        "lost it",
        "vendor.core",
        "warning",
    )
    assert (line["camera"], line["module_name"]) == ("cam1", "TL")
    assert line["thread_name"] == threading.current_thread().name


def test_warnings_are_lines_too() -> None:
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure(stream=stream)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: old" in line["event"]


def fail(secret: str) -> None:
    raise OSError(f"no {len(secret)}")


@pytest.mark.parametrize("logger", [log.get("a"), logging.getLogger("a")], ids=["own", "standard"])
def test_an_exception_is_part_of_the_line(logger: Any) -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    try:
        fail("password")
    except OSError:
        logger.exception("camera failed")
    (line,) = lines(stream)
    (exception,) = line["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("OSError", "no 8")
    assert exception["frames"][-1]["name"] == "fail"
    assert "password" not in stream.getvalue()
    assert line["level"] == "error"


def test_levels() -> None:
    stream = io.StringIO()
    log.configure(level="warning", stream=stream)
    log.get("a").info("no")
    logging.getLogger("b").info("no")
    log.get("a").warning("yes")
    logging.getLogger("b").warning("yes")
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("a", "yes"),
        ("b", "yes"),
    ]


def test_configuring_again_replaces_and_spares_others() -> None:
    first, second, other = io.StringIO(), io.StringIO(), logging.NullHandler()
    logging.getLogger().addHandler(other)
    logger = log.get("a")
    log.configure(stream=first)
    logger.info("one")
    log.configure(stream=second, level="debug")
    logger.debug("two")
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [line["event"] for line in lines(second)] == ["two"]
    assert other in logging.getLogger().handlers


def test_numbers_that_json_has_not_are_words() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    log.get("a").info("score", score=float("nan"), path=Path("/a"))
    line = json.loads(stream.getvalue(), parse_constant=pytest.fail)
    assert (line["score"], "/a" in line["path"]) == ("nan", True)


def test_the_journal_gets_priorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "journal"
    with file.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log.configure(level="debug", stream=stream)
        for level in ("debug", "info", "warning", "error"):
            logging.getLogger("b").log(logging.getLevelNamesMapping()[level.upper()], "x")
            getattr(log.get("a"), level)("x")
    written = file.read_text().splitlines()
    assert [line[:3] for line in written] == [f"<{n}>" for n in (7, 7, 6, 6, 4, 4, 3, 3)]
    assert all(json.loads(line[3:])["event"] == "x" for line in written)


def test_an_inherited_journal_variable_is_not_this_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    with file.open("w") as stream:
        log.configure(stream=stream)
        log.get("a").error("x")
    assert json.loads(file.read_text())["event"] == "x"


@pytest.mark.parametrize(
    ("form", "journal", "starts"),
    [
        ("auto", False, "\x1b["),
        ("auto", True, "{"),
        ("json", False, "{"),
        ("console", True, "\x1b["),
    ],
)
def test_a_terminal_gets_colours(
    form: log.Format, journal: bool, starts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if journal:
        monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal, os.fdopen(theirs, "w") as stream:
        log.configure(form, stream=stream)
        log.get("a").info("hello")
        assert terminal.read(4096).decode().startswith(starts)


def test_a_person_gets_text_without_colours_in_a_file() -> None:
    stream = io.StringIO()
    log.configure("console", stream=stream)
    try:
        fail("password")
    except OSError:
        log.get("a").exception("camera failed", camera="cam1")
    assert "\x1b[" not in stream.getvalue()
    assert "camera=cam1" in stream.getvalue()
    assert "Traceback (most recent call last)" in stream.getvalue()


def test_everything_goes_to_standard_error() -> None:
    code = "from daemon import log; log.configure(); log.get('a').error('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert json.loads(done.stderr)["event"] == "x"
