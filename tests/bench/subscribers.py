"""Whether subscribers slow the line: interleaved runs with and without them.

``python -m tests.bench.subscribers [--case stuck|many|fleeting] [--pairs 8] [--seconds 15]``.
A daemon inspects at a fixed rate all the while. Runs alternate: none but the observer, then the
observer and the case's subscribers; the order within a pair changes from pair to pair. The latency
of a run is that from a trigger to its arrival at the observer, and to ``published_ns``.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import zmq

from tests.audit.audited import Audited, Setting, made_recipe

Ends = tuple[str, str]  # endpoints of results and maps
Queue = Any  # multiprocessing's, of lines to be printed
SETTLE = 1.0  # seconds between two runs
TOPICS = (b"verdict/", b"heartbeat/", b"map/")


@dataclass
class Latencies:
    """Of a run, in ms."""

    arrived: list[float] = field(default_factory=list)
    published: list[float] = field(default_factory=list)

    def quantiles(self) -> tuple[float, float, float, float]:
        """Give p50 and p99 of arrival, then of publication."""
        return (
            _quantile(self.arrived, 0.5),
            _quantile(self.arrived, 0.99),
            _quantile(self.published, 0.5),
            _quantile(self.published, 0.99),
        )


def _quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def observe(results: str, seconds: float) -> Latencies:
    """Hear verdicts for a while, and take their times."""
    found = Latencies()
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"verdict/")
        socket.connect(results)
        socket.recv_multipart()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not socket.poll(500):
                continue
            header = socket.recv_multipart()[1]
            now, said = time.time_ns(), json.loads(header)
            found.arrived.append((now - said["triggered_ns"]) / 1e6)
            found.published.append((said["published_ns"] - said["triggered_ns"]) / 1e6)
    return found


def _subscribed(
    context: "zmq.Context[zmq.Socket[bytes]]", end: str, rcvhwm: int = 1000
) -> "zmq.Socket[bytes]":
    socket = context.socket(zmq.SUB)
    socket.linger, socket.rcvhwm = 0, rcvhwm
    for topic in TOPICS:
        socket.subscribe(topic)
    socket.connect(end)
    return socket


def stuck(ends: Ends, stop: Event, said: Queue) -> None:
    """One subscriber, to results and maps, that does not read: its buffers are small and full."""
    seqs: list[int] = []
    with zmq.Context() as context:
        sockets = [_subscribed(context, end, rcvhwm=1) for end in ends]
        stop.wait()
        end = time.monotonic() + SETTLE
        while time.monotonic() < end and sockets[0].poll(500):
            topic, header = sockets[0].recv_multipart()[:2]
            if topic.startswith(b"verdict/"):
                seqs.append(json.loads(header)["seq"])
        for socket in sockets:
            socket.close()
    lost = seqs[-1] - seqs[0] + 1 - len(seqs)
    said.put(f"did not read, and lost {lost} of {seqs[-1] - seqs[0] + 1} verdicts")


def many(ends: Ends, stop: Event, said: Queue) -> None:
    """50 subscribers, to results and maps, that read all they are sent."""
    read = 0
    with zmq.Context() as context:
        sockets = [_subscribed(context, end) for _ in range(50) for end in ends]
        poller = zmq.Poller()
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        while not stop.is_set():
            for socket, _ in poller.poll(100):
                socket.recv_multipart()
                read += 1
        for socket in sockets:
            socket.close()
    said.put(f"50 subscribers read {read} messages")


def fleeting(ends: Ends, stop: Event, said: Queue) -> None:
    """One that connects and vanishes, 1000 times in a run of 15 s."""
    times = 0
    while not stop.wait(0.008):
        with zmq.Context() as context:
            for end in ends:
                _subscribed(context, end).poll(2)
            context.destroy(linger=0)
        times += 1
    said.put(f"connected and vanished {times} times")


#: Each case, and the seconds until it does its worst.
CASES: dict[str, tuple[Callable[[Ends, Event, Queue], None], float]] = {
    "stuck": (stuck, 8.0),  # the kernel's buffers, and then effad's, have to be full
    "many": (many, 3.0),
    "fleeting": (fleeting, 1.0),
}


@contextmanager
def present(case: str, ends: Ends) -> Iterator[None]:
    """Have a case's subscribers in a process of their own."""
    spawn = multiprocessing.get_context("spawn")
    stop, said = spawn.Event(), spawn.Queue()
    work, settle = CASES[case]
    process = spawn.Process(target=work, args=(ends, stop, said))
    process.start()
    time.sleep(settle)
    try:
        yield
        stop.set()
        print(f"    {said.get(timeout=20)}", flush=True)
    finally:
        process.kill()
        process.join()


def run(line: Audited, case: str | None, seconds: float) -> tuple[float, ...]:
    ends = (line.endpoint("results"), line.endpoint("maps"))
    line.check()
    if case is None:
        return observe(ends[0], seconds).quantiles()
    with present(case, ends):
        found = observe(ends[0], seconds).quantiles()
    time.sleep(SETTLE)
    return found


def compare(line: Audited, case: str, pairs: int, seconds: float) -> bool:
    """Run pairs, print them, and say whether the p99 moved by less than 10 %."""
    runs: dict[str | None, list[tuple[float, ...]]] = {None: [], case: []}
    print(f"\n{case}: ms from trigger to arrival p50, p99; to published_ns p50, p99", flush=True)
    for pair in range(pairs):
        for which in (None, case) if pair % 2 == 0 else (case, None):
            runs[which].append(run(line, which, seconds))
            told = "  ".join(f"{value:8.2f}" for value in runs[which][-1])
            print(f"  {which or 'without':10}{told}", flush=True)
    moved = []
    for index, name in enumerate(("arrival p50", "arrival p99", "published p50", "published p99")):
        without = [found[index] for found in runs[None]]
        beside = [found[index] for found in runs[case]]
        middle = statistics.median(without)
        ratio = statistics.median(beside) / middle
        spread = (max(without) - min(without)) / middle
        moved.append(ratio - 1)
        print(
            f"  {name:14} median {middle:.2f} -> {statistics.median(beside):.2f} ms:"
            f" {ratio - 1:+.1%}; runs without differ by {spread:.1%}"
        )
    return moved[1] < 0.1 and moved[3] < 0.1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="left out: all")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15.0, help="of a run")
    parser.add_argument("--rate", type=float, default=100.0, help="triggers/s")
    args = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,  # a disk waits now and then
    ):
        recipe = made_recipe(Path(made), deadline_ms=2000)
        setting = Setting(
            recipe,
            rate_hz=args.rate,
            maps="all",
            results_hwm=50,  # that a subscriber which does not read has soon
            launch=("tests.audit.launch", "--plant", "still"),  # maps of a real one's size
        )
        with Audited(Path(folder), setting) as line:
            line.until(round(args.rate))
            kept = [
                compare(line, case, args.pairs, args.seconds) for case in args.case or list(CASES)
            ]
            status, found = line.finish()
    print(f"{found['triggers']} triggers, {found['mismatches']} mismatches of the audit")
    return 0 if all(kept) and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
