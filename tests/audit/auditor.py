"""An auditor of a line: hears every verdict, and holds them against the simulator's own log.

It uses the wire and the scene file and nothing of effad's. Stop it with SIGTERM or SIGINT once the
daemon has ended; it prints one line of JSON, and its exit status is 1 if anything does not match.
"""

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import zmq

from tests.audit import scene_log
from tests.audit.book import Book, Clock
from tests.audit.rules import Account, Promise

QUIET = 1000  # ms without a message after which nothing more is to be expected
SHOWN = 20  # mismatches


class Hearing:
    """Subscribed to the results of one station; asks again for what it missed."""

    def __init__(
        self,
        results: str,
        control: str | None,
        station: str,
        keep: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Take where the daemon is, and who wants each verdict whole."""
        self.book = Book()
        self.clock = Clock()
        self._station = station
        self._control = control
        self._context = zmq.Context()
        self._results = results
        self._socket = self._connected()
        self._keep = keep
        self._gone_until = 0.0  # time.monotonic()
        self._stopping = False

    def _connected(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.SUB)
        socket.rcvhwm = 0  # the auditor itself loses nothing
        socket.linger = 0
        socket.reconnect_ivl = 20
        for topic in (f"verdict/{self._station}/", "heartbeat/", "alarm/"):
            socket.subscribe(topic)
        socket.connect(self._results)
        return socket

    def stop(self, *_: object) -> None:
        self._stopping = True

    def vanish(self, seconds: float) -> None:
        """Break the connection for a while; may be called from another thread."""
        self._gone_until = time.monotonic() + seconds

    def run(self) -> None:
        """Hear until it is told to stop, and then until nothing more comes."""
        self._note()
        while True:
            if time.monotonic() < self._gone_until:
                self._socket.close()
                time.sleep(max(0.0, self._gone_until - time.monotonic()))
                self._socket = self._connected()
            if self._socket.poll(QUIET):
                topic, header = self._socket.recv_multipart()[:2]
                self._take(topic.decode(), header)
            elif self._stopping:
                break
        self._note()
        self._context.destroy(linger=0)

    def _note(self) -> None:
        self.clock.note(time.monotonic_ns(), time.time_ns())

    def _take(self, topic: str, header: bytes) -> None:
        arrived, said = time.time_ns(), json.loads(header)
        if topic.startswith("verdict/"):
            self._fill(said["seq"], arrived)
            self._write(said, arrived)
        elif topic.startswith("heartbeat/"):
            self._note()
            self.book.heartbeat(said, self._station)
            self._fill(said["seq"].get(self._station, 0) + 1, arrived)  # a lost last verdict
        elif said["code"] == "invariant":
            self.book.faults.append(f"alarm: {said['text']}")

    def _fill(self, before: int, arrived: int) -> None:
        """Ask for the verdicts that were missed before one that came."""
        while self._newest + 1 < before and self._control is not None:
            reply = self._ask(self._control)
            for verdict in reply["verdicts"] if reply else ():
                if verdict["seq"] < before:
                    self._write(verdict, arrived)
            if reply is None or not reply["more"]:
                return

    @property
    def _newest(self) -> int:
        return self.book.seq[-1] if self.book.seq else 0

    def _write(self, verdict: dict[str, Any], arrived: int) -> None:
        self.book.verdict(verdict, arrived)
        if self._keep is not None:
            self._keep(verdict)

    def _ask(self, control: str) -> dict[str, Any] | None:
        request: dict[str, Any] = {"v": 1, "command": "ReplayFrom", "station": self._station}
        request |= {"seq": 0, "limit": 500}
        if self.book.seq:
            request |= {"seq": self.book.seq[-1], "epoch": self.book.epoch[-1]}
        with self._context.socket(zmq.REQ) as socket:
            socket.linger, socket.rcvtimeo = 0, 5000
            socket.connect(control)
            socket.send(json.dumps(request).encode())
            try:
                reply: dict[str, Any] = json.loads(socket.recv())
            except zmq.Again:
                return None
        return reply if reply["ok"] else None


def summary(hearing: Hearing, log: scene_log.TriggerLog, promise: Promise) -> dict[str, Any]:
    """Give the account as it is printed."""
    book = hearing.book
    mismatches = Account(log, book, hearing.clock, promise).mismatches()
    shown = list(islice(mismatches, SHOWN))
    took = sorted(
        book.published_ns[i] - hearing.clock.unix(log.timestamp_ns[t - 1])
        for i, t in enumerate(book.trigger)
        if 1 <= t <= len(log) and book.said(i) in ("PASS", "FAIL")
    )
    span = (max(book.published_ns) - min(book.published_ns)) / 1e9 if book.seq else 0.0
    return {
        "triggers": len(log),
        "verdicts": len(book),
        "by_word": dict(book.counts().most_common()),
        "fates": dict(Counter(log.fate_of(t) for t in range(1, len(log) + 1)).most_common()),
        "epochs": len(set(book.epoch)),
        "acquisitions": len(set(log.acquisition)),
        "replayed": book.replayed,
        "per_second": round(len(book) / span, 1) if span else None,
        "latency_ms": {
            f"p{q}": round(took[min(len(took) - 1, len(took) * q // 100)] / 1e6, 2)
            for q in (50, 99, 100)
            if took
        },
        "mismatches": len(shown) + sum(1 for _ in mismatches),
        "shown": shown,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, help="endpoint of the results socket")
    parser.add_argument("--control", help="endpoint of the control socket, to ask what was missed")
    parser.add_argument("--station", required=True)
    parser.add_argument("--scene", type=Path, required=True, help="the simulator's scene file")
    parser.add_argument("--serial", required=True, help="of the simulated camera")
    parser.add_argument("--deadline-ms", type=float, required=True)
    parser.add_argument("--budget-ms", type=float, default=5.0, help="ledger.commit_budget_ms")
    parser.add_argument("--slots", type=int, required=True, help="of the camera")
    args = parser.parse_args()
    hearing = Hearing(args.results, args.control, args.station)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hearing.stop)
    hearing.run()
    promise = Promise(int(args.deadline_ms * 1e6), int(args.budget_ms * 1e6), args.slots)
    found = summary(hearing, scene_log.read(args.scene, args.serial), promise)
    print(json.dumps(found), flush=True)
    return 1 if found["mismatches"] else 0


if __name__ == "__main__":
    sys.exit(main())
