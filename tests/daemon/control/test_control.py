"""Every request is answered, whoever asks and whatever it is. Keys: see security/test_door.py."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.control.asked import PARTS
from daemon.control.server import REQUEST_LIMIT, Answer, ControlServer, Peer
from daemon.messages import State
from daemon.replies import Reply
from daemon.requests import ActivateRecipe, GetStatistics, Request, SoftwareTrigger
from models.errors import InputError

LIMIT_MS = 5000
FREE = "tcp://127.0.0.1:*"


def handle(request: Request, peer: Peer) -> Answer:
    if isinstance(request, SoftwareTrigger):
        raise InputError(f"station {request.station} is not known; allowed: press")
    parts = (b"x" * 100_000,) if isinstance(request, GetStatistics) else ()
    return Answer(Reply(id=request.id, ok=True, state=State.READY), parts)


@contextmanager
def serving(server: ControlServer) -> Iterator[ControlServer]:
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(stop,), daemon=True)
    thread.start()
    try:
        server.wait_bound(5)
        yield server
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(ControlServer(FREE, handle, rate=1e9)) as server:
        yield server.wait_bound(5)


@pytest.fixture
def peer(endpoint: str, request: pytest.FixtureRequest) -> Iterator["zmq.Socket[bytes]"]:
    with zmq.Context() as context, context.socket(getattr(request, "param", zmq.DEALER)) as socket:
        socket.linger = 0
        socket.rcvtimeo = LIMIT_MS
        socket.connect(endpoint)
        yield socket


def ask(peer: "zmq.Socket[bytes]", *body: bytes) -> Reply:
    peer.send_multipart(body)
    *_, reply = peer.recv_multipart()
    return Reply.model_validate_json(reply)


GET_STATE = b'{"command": "GetState", "id": "a"}'


@pytest.mark.parametrize("peer", [zmq.REQ, zmq.DEALER], indirect=True)
def test_req_and_dealer_are_answered_alike(peer: "zmq.Socket[bytes]") -> None:
    for _ in range(3):
        peer.send(GET_STATE)
        (reply,) = peer.recv_multipart()
        assert Reply.model_validate_json(reply) == Reply(id="a", ok=True, state=State.READY)


def test_what_stands_before_an_empty_part_goes_back(peer: "zmq.Socket[bytes]") -> None:
    peer.send_multipart([b"number 7", b"", GET_STATE])
    assert peer.recv_multipart()[:2] == [b"number 7", b""]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", "not a JSON object"),
        (b"hello\nworld", "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b"{}", "command is missing; allowed: GetState, GetStatistics, ReplayFrom"),
        (
            b'{"command": "Reboot"}',
            "command 'Reboot' is not known; allowed: GetState, GetStatistics",
        ),
        (b'{"command": 3}', "command 3 is not known; allowed: GetState"),
        (
            b'{"command": "SoftwareTrigger", "sation": "a"}',
            "key 'sation' is not known; allowed: v, id, station, command, part",
        ),
        (
            b'{"command": "SoftwareTrigger", "part": {"x": 1}}',
            "key 'x' is not known; allowed: id, lot, serial",
        ),
        (b'{"command": "GetState", "v": 2}', "protocol v 2 is not known; allowed: 1"),
        (
            b'{"command": "SoftwareTrigger", "station": 4}',
            "station: Input should be a valid string",
        ),
        (b" " * (REQUEST_LIMIT + 1), f"at most {REQUEST_LIMIT}"),
        (b'{"command": "SoftwareTrigger", "station": "x"}', "station x is not known; allowed"),
    ],
)
def test_a_wrong_request_is_told_what_is_allowed(
    peer: "zmq.Socket[bytes]", body: bytes, line: str
) -> None:
    reply = ask(peer, b"", body)
    assert not reply.ok
    assert reply.error is not None
    assert line in reply.error
    assert len(reply.error.splitlines()) == 1


def test_a_request_of_two_parts_is_refused(peer: "zmq.Socket[bytes]") -> None:
    assert "not 2" in (ask(peer, GET_STATE, GET_STATE).error or "")
    assert "not 0" in (ask(peer, b"").error or "")


def test_a_wrong_request_gets_its_id_back(peer: "zmq.Socket[bytes]") -> None:
    assert ask(peer, b'{"id": "mine", "command": "Reboot"}').id == "mine"
    assert ask(peer, json.dumps({"id": "x" * 65, "command": "GetState"}).encode()).id == ""


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_garbage_is_answered(peer: "zmq.Socket[bytes]", body: list[bytes]) -> None:
    assert not ask(peer, *body).ok
    assert ask(peer, GET_STATE).ok


def test_a_peer_that_does_not_read_holds_up_nobody_and_its_replies_are_counted() -> None:
    with (
        serving(ControlServer(FREE, handle, rate=1e9)) as server,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as deaf,
        context.socket(zmq.DEALER) as peer,
    ):
        for socket in (deaf, peer):
            socket.linger = 0
            socket.rcvtimeo = LIMIT_MS
        deaf.rcvhwm = 1
        deaf.sndtimeo = LIMIT_MS
        for socket in (deaf, peer):
            socket.connect(server.wait_bound(5))
        # Parts of 100 kB: more than the buffers of both ends and the high-water mark hold.
        for _ in range(500):
            deaf.send(b'{"command": "GetStatistics"}')
        until = time.monotonic() + LIMIT_MS / 1000
        while server.counts.lost == 0 and time.monotonic() < until:
            assert ask(peer, GET_STATE).ok
        assert 0 < server.counts.lost < 500


@pytest.mark.parametrize(
    "parts",
    [
        [b"x"] * 1000,
        [b"x"] * PARTS + [b"", GET_STATE],
        [b"", *[b""] * 50],
        [b"x" * 2000, b"", GET_STATE],
    ],
    ids=["many", "one too many", "empty", "long envelope"],
)
def test_messages_of_many_parts_are_refused(peer: "zmq.Socket[bytes]", parts: list[bytes]) -> None:
    reply = ask(peer, *parts)
    assert not reply.ok
    assert "one part of JSON" in (reply.error or "")
    assert ask(peer, GET_STATE).ok


def test_who_sends_too_long_a_part_is_cut_off_and_nobody_else(
    endpoint: str, peer: "zmq.Socket[bytes]"
) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as rude:
        rude.linger = 0
        rude.connect(endpoint)
        rude.send(b"x" * (2 << 20))
        assert ask(peer, GET_STATE).ok
        assert not rude.poll(200)


def test_over_the_rate_is_an_error_and_the_others_are_answered() -> None:
    with (
        serving(ControlServer(FREE, handle, rate=5)) as server,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as fast,
        context.socket(zmq.DEALER) as slow,
    ):
        for socket in (fast, slow):
            socket.linger = 0
            socket.rcvtimeo = LIMIT_MS
            socket.connect(server.wait_bound(5))
        replies = []
        for _ in range(50):
            fast.send(GET_STATE)
        for _ in range(50):
            replies.append(Reply.model_validate_json(fast.recv()))
        late = [reply for reply in replies if not reply.ok]
        assert [reply.ok for reply in replies[:10]] == [True] * 10  # twice the rate at once
        assert len(late) >= 30
        assert {(reply.id, reply.error) for reply in late} == {
            ("a", "too many requests: at most 5 a second")
        }
        assert ask(slow, GET_STATE).ok
        assert server.counts.limited == len(late)
        assert server.counts.answered == 50 - len(late) + 1


def test_what_comes_is_counted() -> None:
    with serving(ControlServer(FREE, handle)) as server:
        with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
            peer.linger = 0
            peer.rcvtimeo = LIMIT_MS
            peer.connect(server.wait_bound(5))
            assert not ask(peer, b"{").ok
            assert ask(peer, GET_STATE).ok
        assert (server.counts.garbage, server.counts.answered) == (1, 1)


def test_commands_are_audited_and_questions_are_not() -> None:
    told: list[tuple[Peer, Request, Reply]] = []
    audited = ControlServer(FREE, handle, audit=lambda *what: told.append(what))
    with (
        serving(audited) as server,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as peer,
    ):
        peer.linger = 0
        peer.rcvtimeo = LIMIT_MS
        peer.connect(server.wait_bound(5))
        ask(peer, GET_STATE)
        ask(peer, b'{"command": "StopJob", "id": "s"}')
        failed = ask(peer, b'{"command": "SoftwareTrigger"}')
        ask(peer, b'{"command": "StopJob", "x": 1}')
    assert [(who.name, request.command, reply.ok) for who, request, reply in told] == [
        ("local", "StopJob", True),
        ("local", "SoftwareTrigger", False),
    ]
    assert told[1][2] == failed


def test_a_port_in_use_is_an_input_error(endpoint: str) -> None:
    server = ControlServer(endpoint, handle)
    server.serve(threading.Event())  # returns by itself
    with pytest.raises(InputError, match=r"sockets\.control: cannot listen on .* is in use"):
        server.wait_bound(0)


def test_any_other_error_of_a_handler_ends_serve() -> None:
    def broken(request: Request, peer: Peer) -> Answer:
        raise RuntimeError(request.id)

    server, failure = ControlServer(FREE, broken), []

    def work() -> None:
        try:
            server.serve(threading.Event())
        except RuntimeError as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(server.wait_bound(5))
        peer.send(GET_STATE)
        thread.join(5)
    assert [str(error) for error in failure] == ["a"]


def test_an_answer_may_come_later_and_the_others_are_answered_meanwhile() -> None:
    answers: list[Future[Answer]] = []
    told: list[tuple[str, bool]] = []

    def handler(request: Request, peer: Peer) -> Answer | Future[Answer]:
        if not isinstance(request, ActivateRecipe):
            return handle(request, peer)
        answers.append(Future())
        return answers[-1]

    audited = ControlServer(
        FREE, handler, audit=lambda peer, request, reply: told.append((reply.id, reply.ok))
    )
    with (
        serving(audited) as server,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as slow,
        context.socket(zmq.DEALER) as other,
    ):
        for socket in (slow, other):
            socket.linger = 0
            socket.rcvtimeo = LIMIT_MS
            socket.connect(server.wait_bound(5))
        for name in (b"1", b"2"):
            slow.send_multipart([name, b"", b'{"command": "ActivateRecipe", "id": "%s"}' % name])
        while len(answers) < 2:
            assert ask(other, GET_STATE).ok
        assert told == [], "audited with its reply"
        answers[1].set_exception(InputError("no such recipe"))
        *envelope, said = slow.recv_multipart()
        assert (envelope, Reply.model_validate_json(said).error) == ([b"2", b""], "no such recipe")
        assert ask(other, GET_STATE).ok
        answers[0].set_result(Answer(Reply(id="1", ok=True)))
        *envelope, said = slow.recv_multipart()
        assert (envelope, Reply.model_validate_json(said).ok) == ([b"1", b""], True)
    assert told == [("2", False), ("1", True)]


def test_so_many_answers_may_be_to_come_and_no_more() -> None:
    def handler(request: Request, peer: Peer) -> Answer | Future[Answer]:
        return Future() if isinstance(request, ActivateRecipe) else handle(request, peer)

    with (
        serving(ControlServer(FREE, handler, rate=1e9)) as server,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as peer,
    ):
        peer.linger = 0
        peer.rcvtimeo = LIMIT_MS
        peer.connect(server.wait_bound(5))
        for _ in range(64):
            peer.send(b'{"command": "ActivateRecipe"}')
        assert "64 commands are under way" in (
            ask(peer, b'{"command": "ActivateRecipe"}').error or ""
        )
        assert ask(peer, GET_STATE).ok
