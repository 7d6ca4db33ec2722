"""Both sockets, for real: who subscribes late, who is slow, and ports that are in use."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zmq

from daemon.channel import Channel
from daemon.messages import (
    Alarm,
    AlarmCode,
    Heartbeat,
    State,
    StateChange,
    Verdict,
)
from daemon.publisher import SERVICE_PERIOD, Endpoints, Outgoing, Publisher
from daemon.wire import Published, Received, decode, encode_map
from models.errors import InputError
from models.geometry import Placement
from tests.verdicts import verdict_of

FREE = "tcp://127.0.0.1:*"
LIMIT = 5.0  # seconds that anything may take


def verdict(seq: int) -> Verdict:
    return verdict_of(seq, station="press")


def change(state: State, time_ns: int = 1) -> StateChange:
    return StateChange(epoch=1, time_ns=time_ns, state=state, text="")


def heartbeat(seq: int) -> Heartbeat:
    return Heartbeat(epoch=1, time_ns=seq, state=State.READY, seq={"press": seq}, counts={})


@contextmanager
def running(publisher: Publisher) -> Iterator[Channel[Outgoing]]:
    """Run a publisher in a thread of its own; the end of the stream must end it."""
    inbox: Channel[Outgoing] = Channel(10_000)
    thread = threading.Thread(target=publisher.run, args=(inbox,), daemon=True)
    thread.start()
    try:
        publisher.wait_bound(LIMIT)
        yield inbox
    finally:
        inbox.done()
        thread.join(LIMIT)
        assert not thread.is_alive()


@contextmanager
def subscribed(endpoint: str, *topics: str, high_water: int = 1000) -> Iterator["Reader"]:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.rcvhwm = high_water
        for topic in topics:
            socket.subscribe(topic)
        socket.connect(endpoint)
        yield Reader(socket)


class Reader:
    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket

    def next(self, limit: float = LIMIT) -> Received:
        if not self.socket.poll(round(limit * 1000)):
            raise TimeoutError
        return decode(self.socket.recv_multipart())

    def until(self, message: Published) -> list[Published]:
        """Give all messages up to this one."""
        seen: list[Published] = []
        while not seen or seen[-1] != message:
            seen.append(self.next().message)
        return seen


def test_messages_arrive_in_order_and_maps_on_their_own_socket() -> None:
    publisher = Publisher(FREE, FREE)
    header, payload = encode_map(
        np.ones((300, 400), np.float32),
        verdict(2),
        "top",
        Placement((2.0, 2.0), (4.0, 4.0), (300, 400)),
        (1600, 1200),
    )
    with (
        running(publisher) as inbox,
        subscribed(publisher.results_endpoint, "") as results,
        subscribed(publisher.maps_endpoint, "map/press/") as maps,
    ):
        inbox.put(Outgoing(change(State.READY)))
        results.until(change(State.READY))
        sent: list[Published] = [
            verdict(1),
            verdict(2),
            Alarm(epoch=1, time_ns=1, code=AlarmCode.JOURNAL, text=""),
            verdict(3),
        ]
        for message in sent:
            inbox.put(Outgoing(message))
        arrived = results.until(sent[-1])
        assert [m for m in arrived if not isinstance(m, StateChange)] == sent
        while not maps.socket.poll(20):  # until its subscription was there before the map
            inbox.put(Outgoing(header, payload))
        received = maps.next()
        assert received.message == header
        assert received.array is not None
        assert (received.array == payload).all()


def test_who_subscribes_late_gets_the_last_state_and_heartbeat_without_new_messages() -> None:
    publisher = Publisher(FREE, FREE)
    with running(publisher) as inbox, subscribed(publisher.results_endpoint, "") as early:
        for message in (
            change(State.INITIALIZED),
            heartbeat(1),
            verdict(1),
            change(State.READY),
            heartbeat(2),
        ):
            inbox.put(Outgoing(message))
        early.until(heartbeat(2))
        with subscribed(publisher.results_endpoint, "state/", "heartbeat/") as late:
            first = [late.next().message, late.next().message]
        assert change(State.READY) in first
        assert heartbeat(2) in first
        with subscribed(publisher.results_endpoint, "state/") as second:  # XPUB_VERBOSE
            assert second.next(SERVICE_PERIOD + LIMIT).message == change(State.READY)
        with subscribed(publisher.results_endpoint, "verdict/") as other:
            inbox.put(Outgoing(change(State.ERROR)))
            early.until(change(State.ERROR))
            while not other.socket.poll(20):
                inbox.put(Outgoing(verdict(9)))
            assert other.next().message == verdict(9)  # no state, and no verdict from before


def test_a_slow_subscriber_loses_its_own_messages_and_holds_up_nobody() -> None:
    publisher = Publisher(FREE, FREE, results_high_water=10)
    with (
        running(publisher) as inbox,
        subscribed(publisher.results_endpoint, "", high_water=1) as slow,
        subscribed(publisher.results_endpoint, "") as fast,
    ):
        inbox.put(Outgoing(change(State.READY)))
        slow.until(change(State.READY))
        fast.until(change(State.READY))
        text = "x" * 100_000
        alarms = [Alarm(epoch=1, time_ns=n, code=AlarmCode.JOURNAL, text=text) for n in range(400)]
        started = time.monotonic()
        for alarm in alarms:  # 40 MB: more than any socket buffer holds
            inbox.put(Outgoing(alarm))
            assert fast.until(alarm)[-1] == alarm
        assert time.monotonic() - started < 4 * LIMIT
        inbox.put(Outgoing(change(State.ERROR)))
        fast.until(change(State.ERROR))
        got = 0
        while slow.socket.poll(200):
            slow.socket.recv_multipart()
            got += 1
        assert 0 < got < len(alarms)


@pytest.mark.parametrize("setting", ["results", "maps"])
def test_a_port_in_use_is_an_input_error_that_names_the_setting(setting: str) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as other:
        other.bind(FREE)
        taken = other.get_string(zmq.LAST_ENDPOINT)
        publisher = Publisher(*(taken if name == setting else FREE for name in ("results", "maps")))
        publisher.run(Channel(1))  # returns by itself
        with pytest.raises(InputError) as caught:
            publisher.wait_bound(0)
    assert f"sockets.{setting}: cannot listen on '{taken}': the address is in use" in str(
        caught.value
    )
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("127.0.0.1:5556", "not an endpoint, such as"),
        ("http://127.0.0.1:5556", "not an endpoint, such as"),
        ("tcp://192.0.2.1:5556", "this machine has no such address"),
        ("ipc:///nowhere/results", "its folder does not exist"),
    ],
)
def test_a_bad_endpoint_is_an_input_error(endpoint: str, why: str) -> None:
    publisher = Publisher(endpoint, FREE)
    publisher.run(Channel(1))
    with pytest.raises(InputError, match=why):
        publisher.wait_bound(0)


def test_endpoints_are_the_real_ones(tmp_path: Path) -> None:
    publisher = Publisher(f"ipc://{tmp_path}/results", FREE)
    with pytest.raises(TimeoutError):
        publisher.wait_bound(0)
    with running(publisher):
        assert publisher.results_endpoint == f"ipc://{tmp_path}/results"
        assert publisher.maps_endpoint.rpartition(":")[2].isdigit()
        assert publisher.wait_bound(0) == Endpoints(
            publisher.results_endpoint, publisher.maps_endpoint
        )


def test_the_last_messages_are_sent_before_the_sockets_close(tmp_path: Path) -> None:
    publisher = Publisher(f"ipc://{tmp_path}/results", FREE)
    with (
        running(publisher) as inbox,
        subscribed(publisher.results_endpoint, "", high_water=1) as results,
    ):
        inbox.put(Outgoing(change(State.READY)))
        results.until(change(State.READY))
        alarms = [
            Alarm(epoch=1, time_ns=n, code=AlarmCode.JOURNAL, text="x" * 50_000) for n in range(100)
        ]
        for alarm in alarms:  # 5 MB: more than a local socket holds
            inbox.put(Outgoing(alarm))
        inbox.done()
        until = time.monotonic() + LIMIT
        while len(inbox) and time.monotonic() < until:
            pass
        # libzmq may drop the last that waits for a full local socket (its issue 4660).
        arrived = results.until(alarms[-2])
        assert [message for message in arrived if isinstance(message, Alarm)] == alarms[:-1]
