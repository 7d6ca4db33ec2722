"""What a commit costs: python -m tests.bench.journal_bench [--folder DIR] [--seconds S]

Prints, for each durability and group size, the time of a commit call (median, p99, maximum) and the
processor time of a verdict, with a keeper that checkpoints each second, as in the daemon.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from daemon.channel import Crew
from daemon.journal import Durability, Entry, Journal, Keeper, Retention
from daemon.messages import Kind
from tests.daemon.journal.entered import entry, verdict

_TEMPLATES = 1000  # verdicts made beforehand: making them is not the journal's cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the disk to measure [the temporary one]")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each line [%(default)g]")
    parser.add_argument("--rate", type=float, default=0, help="commits a second; 0: no pause")
    options = parser.parse_args()
    header = len(entry(verdict(10**6)).header)
    print(f"header {header} bytes; {options.rate or 'no'} commits a second asked for")
    print("durability  group  commits/s  median us    p99 us    max us  CPU us/verdict")
    for durability in ("process", "power"):
        for group in (1, 10, 100):
            folder = Path(tempfile.mkdtemp(prefix="journal-bench-", dir=options.folder))
            try:
                _line(folder, durability, group, options.seconds, options.rate)
            finally:
                shutil.rmtree(folder)


def _line(folder: Path, durability: Durability, group: int, seconds: float, rate: float) -> None:
    stop = threading.Event()
    crew = Crew(stop.set)
    with Journal.open(folder, durability, time.time_ns()) as journal:
        keeper = Keeper(journal, Retention(days=1, megabytes=500))
        crew.start("keeper", lambda: keeper.run(stop))
        took, cpu = _commits(journal, group, seconds, rate)
        stop.set()
        crew.join(60)
        crew.check()
    took.sort()
    print(
        f"{durability:10s} {group:6d} {len(took) / seconds:10.0f} {statistics.median(took):10.1f}"
        f" {took[len(took) * 99 // 100]:9.1f} {took[-1]:9.1f} {cpu:15.1f}",
        flush=True,
    )


def _commits(
    journal: Journal, group: int, seconds: float, rate: float
) -> tuple[list[float], float]:
    """Give the microseconds of each commit, and the processor's of each verdict."""
    took: list[float] = []
    cpu, seq = 0.0, 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        made = _made(seq, _TEMPLATES)
        for at in range(0, _TEMPLATES, group):
            entries = made[at : at + group]
            begun, thread = time.perf_counter(), time.thread_time()
            journal.commit(entries)
            took.append((time.perf_counter() - begun) * 1e6)
            cpu += time.thread_time() - thread
            if rate:
                time.sleep(max(0.0, 1 / rate - (time.perf_counter() - begun)))
            if time.perf_counter() >= end:
                break
        seq += _TEMPLATES
    return took, cpu / (len(took) * group) * 1e6


def _made(seq: int, count: int) -> list[Entry]:
    now = time.time_ns()
    return [
        entry(verdict(n, Kind.FAIL if n % 20 == 0 else Kind.PASS, published_ns=now + n))
        for n in range(seq + 1, seq + count + 1)
    ]


if __name__ == "__main__":
    main()
