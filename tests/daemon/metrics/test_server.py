"""The HTTP address: bad peers, ports in use, and an end that leaves nothing."""

import gc
import http.client
import os
import socket
import struct
import threading
import time
import urllib.error
import urllib.parse
from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from pydantic import ValidationError

from daemon.metrics import server as module
from daemon.metrics.exporter import registry
from daemon.metrics.reading import Reading
from daemon.metrics.server import MetricsServer
from daemon.settings.metrics import MetricsSettings
from models.errors import InputError
from tests.daemon.metrics.scraping import LIMIT, Known, full, get, parse, served, value


def address_of(url: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def test_a_port_in_use_is_the_users_to_change() -> None:
    with served(Known(full())) as url:
        host, port = address_of(url)
        second = MetricsServer(host, port, Known(full()))
        second.serve(threading.Event())
        with pytest.raises(InputError, match=rf"metrics\.port.*{port}.*in use") as caught:
            second.wait_bound(0)
        assert "\n" not in str(caught.value)
        assert value(parse(get(url)), "effad_open", station="nut") == 2


def test_an_address_of_another_machine_is_the_users_to_change() -> None:
    server = MetricsServer("192.0.2.1", 0, Known(full()))  # RFC 5737: nobody's
    server.serve(threading.Event())
    with pytest.raises(InputError, match=r"metrics\.address"):
        server.wait_bound(0)


def test_the_port_is_free_again_after_the_end() -> None:
    with served(Known(full())) as url:
        get(url)
        host, port = address_of(url)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port), LIMIT)
    again = MetricsServer(host, port, Known(full()))
    stop = threading.Event()
    stop.set()
    again.serve(stop)
    assert address_of(again.wait_bound(0)) == (host, port)


def test_ipv6_is_listened_on_too() -> None:
    if not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")
    with served(Known(full()), "::1") as url:
        assert url.startswith("http://[::1]:")
        assert value(parse(get(url)), "effad_open", station="nut") == 2


def test_other_paths_are_not_there() -> None:
    with served(Known(full())) as url:
        with pytest.raises(urllib.error.HTTPError, match="/metrics") as caught:
            get(url.replace("/metrics", "/admin"))
        caught.value.close()
        assert get(url.replace("/metrics", "/?x=1")).startswith("# HELP effad_build_info")


def test_only_reading_is_possible() -> None:
    with served(Known(full())) as url:
        for method in ("POST", "PUT", "DELETE"):
            connection = http.client.HTTPConnection(*address_of(url), timeout=LIMIT)
            connection.request(method, "/metrics", body=b"x")
            assert connection.getresponse().status == 501
            connection.close()


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /metrics HT", b"\x16\x03\x01garbage\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\r\n"],
)
def test_peers_that_go_away_harm_nobody(said: bytes) -> None:
    with served(Known(full())) as url:
        for _ in range(20):
            peer = socket.create_connection(address_of(url), LIMIT)
            peer.sendall(said)
            # Cut off, not closed: what the server still writes meets a reset.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        assert value(parse(get(url)), "effad_open", station="nut") == 2


def test_a_peer_that_says_nothing_is_waited_for_and_then_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert module._Handler.timeout == 2
    monkeypatch.setattr(module._Handler, "timeout", 0.1)  # seconds
    with (
        served(Known(full())) as url,
        socket.create_connection(address_of(url), LIMIT) as silent,
    ):
        assert value(parse(get(url)), "effad_open", station="nut") == 2
        assert silent.recv(1) == b""


class _Faulty:
    def __init__(self) -> None:
        self.faulty = True

    def reading(self) -> Reading:
        if self.faulty:
            raise RuntimeError("planted")
        return full()


def test_a_fault_in_a_scrape_ends_that_scrape_alone() -> None:
    source = _Faulty()
    with served(source) as url:
        with pytest.raises(http.client.RemoteDisconnected):
            get(url)
        source.faulty = False
        assert value(parse(get(url)), "effad_open", station="nut") == 2


def test_a_thousand_scrapes_leave_nothing() -> None:
    def held() -> tuple[int, int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(gc.get_objects())

    with served(Known(replace(full(), stations={}))) as url:
        for _ in range(10):
            get(url)
        files, threads, objects = held()
        for _ in range(1000):
            get(url)
        after = held()
    assert after[0] <= files
    assert after[1] <= threads
    assert after[2] < objects + 500


def test_who_scrapes_in_a_loop_is_slowed_down() -> None:
    metrics = registry(Known(full()))
    costs = []
    for _ in range(10):
        before = time.thread_time()
        generate_latest(metrics)
        costs.append(time.thread_time() - before)
    with served(Known(full())) as url:
        began = time.monotonic()
        for _ in range(20):
            get(url)
        took = time.monotonic() - began
    assert took > 20 * 3 * min(costs)


def test_settings_take_addresses_alone() -> None:
    assert MetricsSettings() == MetricsSettings(address="127.0.0.1", port=9556)
    assert MetricsSettings(address="::", port=0).port == 0
    for wrong in ("localhost", "", "127.0.0.1:9556", "tcp://127.0.0.1"):
        with pytest.raises(ValidationError, match="not allowed"):
            MetricsSettings(address=wrong)
    with pytest.raises(ValidationError):
        MetricsSettings(port=65536)
