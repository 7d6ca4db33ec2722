"""The HTTP address that a monitoring system scrapes.

One thread, one request at a time: who holds a connection open delays other scrapes for seconds and
the line not at all.
"""

import ipaddress
import socket
import sys
import threading
import time
from concurrent.futures import Future
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from daemon import log
from daemon.metrics.exporter import registry
from daemon.metrics.reading import Source
from models.errors import InputError

_POLL = 0.1  # seconds until ``stop`` is noticed
_PATIENCE = 2.0  # seconds that a peer may take to say or read something
_REST = 4.0  # times what a scrape took: who scrapes in a loop has a fifth of a core at most
_PATHS = ("/", "/metrics")


class MetricsServer:
    """Answers scrapes with what a source has to say at that moment."""

    def __init__(self, address: str, port: int, source: Source) -> None:
        """Take an IP address to listen on, and its port; 0: any free one."""
        self._address = (address, port)
        self._source = source
        self._bound: Future[str] = Future()

    def wait_bound(self, timeout: float) -> str:
        """Wait (seconds) until the address is listened on; give its URL.

        Raises ``InputError`` if it cannot be, and ``TimeoutError`` if ``serve`` was not called.
        """
        return self._bound.result(timeout)

    def serve(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set; makes, uses and closes the socket in this thread.

        An address that cannot be listened on ends it at once, and ``wait_bound`` raises why.
        """
        try:
            server = _Server(self._address, registry(self._source))
        except OSError as error:
            self._bound.set_exception(_explained(self._address, error))
            return
        with server:
            self._bound.set_result(server.url)
            while not stop.is_set():
                spent = time.thread_time()
                server.handle_request()
                stop.wait(_REST * (time.thread_time() - spent))


class _Server(TCPServer):
    allow_reuse_address = True  # after a restart the old connections linger
    request_queue_size = 32  # else peers that knock at the same moment wait for a second
    timeout = _POLL

    def __init__(self, address: tuple[str, int], metrics: CollectorRegistry) -> None:
        self.metrics = metrics
        six = ipaddress.ip_address(address[0]).version == 6
        self.address_family = socket.AF_INET6 if six else socket.AF_INET
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Go on: a scrape that failed is seen where it was asked for."""
        if isinstance(sys.exception(), OSError):
            return  # the peer went away
        log.get("metrics").exception("scrape failed")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE

    def do_GET(self) -> None:
        if self.path.partition("?")[0] not in _PATHS:
            self.send_error(HTTPStatus.NOT_FOUND, "metrics are at /metrics")
            return
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.server.metrics)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a scrape each few seconds is no news."""


def _explained(address: tuple[str, int], error: OSError) -> InputError:
    host, port = address
    return InputError(
        f"metrics.port: cannot listen on {host} port {port}: {error.strerror}; stop the other"
        " program, or set metrics.address and metrics.port to others (port 0: no metrics)"
    )
