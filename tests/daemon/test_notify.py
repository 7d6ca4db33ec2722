"""What the service manager is told, over a real socket."""

import itertools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import notify
from models.errors import InputError


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@effad-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield listener


@pytest.mark.parametrize(
    ("tell", "datagram"),
    [
        (notify.ready, b"READY=1"),
        (lambda: notify.ready("2 cameras"), b"READY=1\nSTATUS=2 cameras"),
        (lambda: notify.status("one\nREADY=1 two"), b"STATUS=one READY=1 two"),
        (lambda: notify.status("Prüfung läuft"), "STATUS=Prüfung läuft".encode()),
        (notify.stopping, b"STOPPING=1"),
        (notify.alive, b"WATCHDOG=1"),
        (lambda: notify.extend_timeout(1.5), b"EXTEND_TIMEOUT_USEC=1500000"),
    ],
)
def test_each_message_is_a_datagram(
    manager: socket.socket, tell: Callable[[], bool], datagram: bytes
) -> None:
    assert tell()
    assert manager.recv(4096) == datagram


def test_nobody_is_told_without_a_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", "vsock:2:1")
    assert not notify.ready()


def test_a_manager_that_is_gone_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify.alive()


def test_a_manager_that_does_not_read_does_not_hold_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_PATIENCE_S", 0.01)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        told = list(itertools.takewhile(bool, (notify.alive() for _ in range(100_000))))
    assert 0 < len(told) < 100_000


def watched(monkeypatch: pytest.MonkeyPatch, allowed: str | None, pid: str | None) -> None:
    for name, value in (("WATCHDOG_USEC", allowed), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def test_the_watchdog_is_fed_at_half_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watched(monkeypatch, "15000000", str(os.getpid()))
    assert notify.watchdog_period() == 7.5
    watched(monkeypatch, "15000000", None)
    assert notify.watchdog_period() == 7.5


@pytest.mark.parametrize(("allowed", "pid"), [(None, None), ("15000000", "1")])
def test_a_process_that_is_not_watched(
    monkeypatch: pytest.MonkeyPatch, allowed: str | None, pid: str | None
) -> None:
    watched(monkeypatch, allowed, pid)
    assert notify.watchdog_period() is None


@pytest.mark.parametrize("allowed", ["0", "", "-5", "soon"])
def test_a_watchdog_without_a_time_is_refused(
    monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    watched(monkeypatch, allowed, None)
    with pytest.raises(InputError, match=r"WATCHDOG_USEC = '.*': allowed is .*; unset it"):
        notify.watchdog_period()
