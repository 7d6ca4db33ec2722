"""Who gets in, who does not, and that it is logged: real sockets, real keys."""

import shutil
import socket as system
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq
from structlog.testing import capture_logs

from daemon.client import Requester, Subscriber
from daemon.control.server import Answer, Peer
from daemon.publisher import Outgoing
from daemon.replies import Reply
from daemon.requests import GetState, Request, Snapshot, SoftwareTrigger, StopJob
from daemon.security.command import main
from daemon.security.door import Door
from daemon.security.keyring import Keyring
from daemon.security.keys import ClientKeys
from daemon.watch import main as watch
from models.errors import InputError
from tests.daemon.security.guarded import (
    LIMIT,
    READY,
    Guarded,
    guarded,
    keys_of,
    make,
    wait_for,
)

QUIET_MS = 300  # in which one that was let in hears a lot


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    assert main(["make-server", "--keys", str(folder)]) == 0
    make(folder, "scada", "watch")
    make(folder, "plc", "command")
    return folder


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def line(keys: Path, log: list[Any]) -> Iterator[Guarded]:
    with guarded(keys) as line:
        yield line


@contextmanager
def connected(
    line: Guarded, kind: int, endpoint: str, keys: ClientKeys | None
) -> Iterator["zmq.Socket[bytes]"]:
    """A socket of a program that is none of ours."""
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.linger = 0
        if keys is not None:
            keys.put_on(socket)
        if kind == zmq.SUB:
            socket.subscribe("")
        socket.connect(endpoint)
        yield socket


def refused_on_results(line: Guarded, count: int) -> bool:
    return line.door.counts.refused.get("results", 0) >= count


def strange(server: bytes) -> ClientKeys:
    return ClientKeys(server, *zmq.curve_keypair())


def wrong_server(keys: ClientKeys) -> ClientKeys:
    return ClientKeys(zmq.curve_keypair()[0], keys.public, keys.secret)


@pytest.mark.parametrize("who", ["no key", "unknown key", "another server's key", "no ZeroMQ"])
def test_who_has_not_the_right_key_gets_nothing_and_is_logged(
    line: Guarded, keys: Path, log: list[Any], who: str
) -> None:
    ours = keys_of(keys, "scada")
    theirs = {
        "no key": None,
        "unknown key": strange(ours.server),
        "another server's key": wrong_server(ours),
        "no ZeroMQ": None,
    }[who]
    why = {
        "no key": "do not go together",
        "unknown key": "not among the clients'",
        "another server's key": "another server key",
        "no ZeroMQ": "does not speak ZeroMQ",
    }[who]
    endpoints = {
        "control": line.endpoint,
        "results": line.publisher.results_endpoint,
        "maps": line.publisher.maps_endpoint,
    }
    for name, endpoint in endpoints.items():

        def refused(name: str = name) -> list[Any]:
            return [
                entry
                for entry in log
                if entry["event"] == "refused" and entry["socket"] == name and why in entry["why"]
            ]

        if who == "no ZeroMQ":
            host, port = endpoint.removeprefix("tcp://").split(":")
            with system.create_connection((host, int(port))) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert wait_for(lambda: bool(refused())), log
        else:
            kind = zmq.DEALER if name == "control" else zmq.SUB
            with connected(line, kind, endpoint, theirs) as socket:
                if name == "control":
                    socket.send(b'{"command": "StopJob"}')
                assert wait_for(lambda: bool(refused())), log
                line.inbox.put(Outgoing(READY))
                assert not socket.poll(QUIET_MS)
        entry = refused()[0]
        assert entry["log_level"] == "warning"
        if who == "unknown key":  # else the connection may be gone before it can be asked
            assert entry["address"] == "127.0.0.1"
            assert theirs is not None
            assert entry["key"] == theirs.public.decode()
        assert line.door.counts.refused[name] >= 1
    assert line.control.counts.answered == 0
    assert line.audited == []


def test_a_watcher_hears_and_asks_and_does_not_command(
    line: Guarded, keys: Path, log: list[Any]
) -> None:
    scada = keys_of(keys, "scada")
    bound = line.publisher.wait_bound(LIMIT)
    with Subscriber(bound.results, bound.maps, keys=scada) as subscriber:
        assert subscriber.receive(LIMIT).message == READY
        assert wait_for(lambda: line.door.counts.connections["results"] == 1)
        assert wait_for(lambda: line.door.counts.connections["maps"] == 1)
    assert wait_for(lambda: line.door.counts.connections["results"] == 0)
    with Requester(line.endpoint, keys=scada) as requester:
        assert requester.ask(GetState()).ok
        assert line.audited == []
        reply = requester.ask(SoftwareTrigger(id="t"))
    assert (reply.ok, reply.id) == (False, "t")
    assert reply.error == "SoftwareTrigger needs permission command; key scada has watch"
    ((peer, request, told),) = line.audited
    assert (peer.name, peer.may_command, peer.address) == ("scada", False, "127.0.0.1")
    assert (request, told) == (SoftwareTrigger(id="t"), reply)
    (entry,) = [entry for entry in log if entry.get("command") == "SoftwareTrigger"]
    assert (entry["event"], entry["key"], entry["log_level"]) == ("refused", "scada", "warning")
    assert (line.control.counts.answered, line.control.counts.refused) == (1, 1)


def test_a_commander_commands_and_is_audited(line: Guarded, keys: Path) -> None:
    with Requester(line.endpoint, keys=keys_of(keys, "plc")) as requester:
        reply = requester.ask(SoftwareTrigger())
    assert reply.ok
    ((peer, _, told),) = line.audited
    assert (peer.name, peer.may_command, told) == ("plc", True, reply)


def test_a_revoked_key_neither_commands_nor_connects(
    line: Guarded, keys: Path, log: list[Any]
) -> None:
    plc = keys_of(keys, "plc")
    with Requester(line.endpoint, keys=plc) as requester:
        assert requester.ask(SoftwareTrigger()).ok
        assert main(["revoke", "plc", "--keys", str(keys)]) == 0
        for request in (SoftwareTrigger(), GetState()):
            assert requester.ask(request).error == "key plc was revoked; ask for a new one"
        make(keys, "plc", "command")  # the same name, another key
        assert not requester.ask(SoftwareTrigger()).ok
    assert [reply.ok for _, _, reply in line.audited] == [True, False, False]
    with connected(line, zmq.DEALER, line.endpoint, plc) as socket:
        socket.send(b'{"command": "GetState"}')
        assert wait_for(lambda: any("not among" in e.get("why", "") for e in log))
        assert not socket.poll(QUIET_MS)
    with Requester(line.endpoint, keys=keys_of(keys, "plc")) as requester:
        assert requester.ask(SoftwareTrigger()).ok


def test_a_new_key_works_without_a_restart(line: Guarded, keys: Path) -> None:
    new = make(keys, "office", "watch")
    with Requester(line.endpoint, keys=new) as requester:
        assert requester.ask(GetState()).ok
        assert not requester.ask(StopJob()).ok
        make(keys, "other", "watch")
        file = keys / "clients" / "office.key"
        file.write_text(file.read_text().replace('"watch"', '"command"'))  # by hand
        assert requester.ask(StopJob()).ok


def test_who_is_refused_again_and_again_is_logged_once_and_counted(
    line: Guarded, keys: Path, log: list[Any]
) -> None:
    server = keys_of(keys, "scada").server
    for count in range(1, 6):
        with connected(line, zmq.SUB, line.publisher.results_endpoint, strange(server)):
            assert wait_for(partial(refused_on_results, line, count))
    assert len([entry for entry in log if entry["event"] == "refused"]) == 1


def test_nobody_gets_in_when_the_door_has_failed(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libzmq would let everybody in when no handler answers, unless told otherwise."""

    def fail(self: Door, parts: list[bytes]) -> list[bytes]:
        raise RuntimeError("planted")

    monkeypatch.setattr(Door, "_answer", fail)
    plc = keys_of(keys, "plc")
    with pytest.raises(RuntimeError, match="planted"), guarded(keys) as line:  # noqa: PT012
        with connected(line, zmq.DEALER, line.endpoint, plc) as socket:
            socket.send(b'{"command": "StopJob"}')
            assert line.failed.wait(LIMIT)
            assert not socket.poll(QUIET_MS)
        with connected(line, zmq.DEALER, line.endpoint, plc) as socket:
            socket.send(b'{"command": "StopJob"}')
            assert not socket.poll(QUIET_MS)
        assert line.audited == []


def test_without_keys_who_is_here_may_command(tmp_path: Path) -> None:
    endpoints = tuple(f"ipc://{tmp_path}/{name}" for name in ("control", "results", "maps"))
    with guarded(None, endpoints=endpoints) as line:  # type: ignore[arg-type]
        with Requester(line.endpoint) as requester:
            assert requester.ask(SoftwareTrigger()).ok
        with Subscriber(endpoints[1], endpoints[2]) as subscriber:
            assert subscriber.receive(LIMIT).message == READY
            assert wait_for(lambda: line.door.counts.connections["results"] == 1)
    ((peer, _, _),) = line.audited
    assert (peer.name, peer.may_command) == ("local", True)
    assert "process" in peer.address
    with guarded(None) as line, Requester(line.endpoint) as requester:
        assert requester.ask(SoftwareTrigger()).ok
        assert (line.audited[0][0].name, line.audited[0][0].address) == ("local", "127.0.0.1")


def test_a_client_with_keys_is_refused_where_there_are_none(keys: Path, log: list[Any]) -> None:
    scada = keys_of(keys, "scada")
    with guarded(None) as line, connected(line, zmq.DEALER, line.endpoint, scada) as socket:
        socket.send(b'{"command": "GetState"}')
        assert wait_for(lambda: any("do not go together" in entry.get("why", "") for entry in log))


def test_who_connects_and_vanishes_leaves_nothing_behind(line: Guarded, keys: Path) -> None:
    scada = keys_of(keys, "scada")
    bound = line.publisher.wait_bound(LIMIT)
    for _ in range(50):
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.linger = 0
            scada.put_on(socket)
            socket.subscribe("")
            socket.connect(bound.results)
    host, port = bound.results.removeprefix("tcp://").split(":")
    for _ in range(50):
        system.create_connection((host, int(port))).close()
    with Subscriber(bound.results, keys=scada) as subscriber:
        assert subscriber.receive(LIMIT).message == READY
        assert wait_for(lambda: line.door.counts.connections["results"] == 1), line.door.counts
    assert not line.failed.is_set()


def test_the_server_key_may_be_a_credential_of_systemd(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    credential = credentials / "effad-server.key_secret"
    shutil.move(keys / "server.key_secret", credential)
    credential.chmod(0o440)  # what systemd's access list looks like
    with pytest.raises(InputError, match=r"server\.key_secret: No such file"):
        Keyring.load(keys)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with guarded(keys) as line, Requester(line.endpoint, keys=keys_of(keys, "plc")) as requester:
        assert requester.ask(SoftwareTrigger()).ok
    credential.chmod(0o444)
    with pytest.raises(InputError, match="others can read"):
        Keyring.load(keys)


def test_effad_watch_takes_keys(
    line: Guarded, keys: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = keys / "issued" / "scada.key_secret"
    where = ["--results", line.publisher.results_endpoint, "--timeout", "2"]
    theirs = ["--server-key", str(keys / "server.key"), "--key", str(secret)]
    assert watch([*where, *theirs]) == 3  # no verdict came
    assert "state Ready" in capfd.readouterr().err
    secret.chmod(0o644)
    assert watch([*where, *theirs]) == 2
    assert "others can read or write this secret key" in capfd.readouterr().err
    with pytest.raises(SystemExit) as ended:
        watch([*where, "--key", str(secret)])
    assert ended.value.code == 2


def test_the_parts_behind_a_reply_come_with_it(keys: Path) -> None:
    def handler(request: Request, peer: Peer) -> Answer:
        return Answer(Reply(id=request.id, ok=True), (b"frame", memoryview(b"map")))

    scada = keys_of(keys, "scada")
    with guarded(keys, handler) as line, Requester(line.endpoint, keys=scada) as requester:
        reply, parts = requester.ask_parts(Snapshot(id="s"))
    assert (reply.id, parts) == ("s", [b"frame", b"map"])


def test_a_requester_without_the_right_key_gives_up_and_says_why(line: Guarded) -> None:
    with Requester(line.endpoint, 0.2) as requester:
        for _ in range(2):
            with pytest.raises(InputError, match="compare the server's public key"):
                requester.ask(GetState())
