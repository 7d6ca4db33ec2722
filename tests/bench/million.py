"""A line for very many triggers, with faults at random, and an auditor beside it.

``python -m tests.bench.million --triggers 1000000 --seed 1``. A SIGINT ends it in order, and what
was done until then is audited. The networks are tiny (tests/audit/tiny.py); all else is the real
daemon with its camera process, and the auditor is a program of its own that uses nothing of it.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.simulator.scene import Fault, TriggerMode
from tests.audit.audited import SERIAL, Audited, Setting, made_recipe

#: Faults of a million triggers, and how large one is: frames, or ms for STALL and LOST.
DENSITY = {
    Fault.DROP: (4000, 1, 3),
    Fault.INCOMPLETE: (4000, 1, 3),
    Fault.SHORT: (2000, 1, 2),
    Fault.RESIZE: (2000, 1, 2),
    Fault.STALL: (400, 30, 500),
    Fault.LOST: (150, 100, 900),
}
EVERY = 10.0  # seconds between two lines of progress
TICK = 0.02  # seconds between two looks


class Trouble:
    """Faults at random, so many for each trigger that has been made."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self._seen = 0
        self.made: Counter[str] = Counter()

    def step(self, line: Audited) -> None:
        """Make the faults that are due for the triggers since the last step."""
        new, self._seen = line.triggers - self._seen, line.triggers
        for fault, (density, least, most) in DENSITY.items():
            if self._random.random() < density * new / 1e6:
                line.scene.fault(SERIAL, fault, self._random.randint(least, most))
                self.made[str(fault)] += 1


def drive(line: Audited, triggers: int, trouble: Trouble, stopped: threading.Event) -> None:
    """Let the camera make so many triggers, with trouble; say every 10 s how far it is."""
    begun = said = time.monotonic()
    first = line.triggers
    while line.triggers < triggers and not stopped.is_set():
        line.check()
        trouble.step(line)
        now = time.monotonic()
        if line.setting.trigger is TriggerMode.HARDWARE:
            due = round((now - begun) * line.setting.rate_hz) - (line.pulsed - first)
            line.pulse(min(due, triggers - line.pulsed))
        if now - said >= EVERY:
            said = now
            rate = (line.triggers - first) / (now - begun)
            print(f"{line.triggers} triggers, {rate:.0f}/s, {dict(trouble.made)}", file=sys.stderr)
        stopped.wait(TICK)
    calm = line.triggers + 20
    if line.setting.trigger is TriggerMode.HARDWARE:
        line.pulse(20)
    line.until(calm)  # a camera that is away at the end could not be asked what it counted


def report(
    trouble: Trouble, seconds: float, spent: dict[str, Counter[str]], found: dict[str, Any]
) -> None:
    n = found["triggers"]
    print(f"{n} triggers in {seconds:.0f} s: {n / seconds:.0f}/s; latency {found['latency_ms']} ms")
    print(f"faults made: {dict(trouble.made)}")
    print(f"what the camera did:  {found['fates']}")
    print(f"what effad said:      {found['by_word']}")
    print(f"acquisitions {found['acquisitions']}, asked for again {found['replayed']}")
    costs = {process: sum(threads.values()) / 1e6 / n for process, threads in spent.items()}
    infer = sum(ns for name, ns in spent["daemon"].items() if name.startswith("infer")) / 1e6 / n
    print(
        f"CPU ms a frame: daemon {costs['daemon']:.3f} (of it {infer:.3f} in the threads that"
        f" inspect), camera process {costs['camera']:.3f}; both without those threads"
        f" {sum(costs.values()) - infer:.3f}"
    )
    for process, threads in spent.items():
        most = (f"{name} {ns / 1e6 / n:.3f}" for name, ns in threads.most_common(6))
        print(f"  {process}: {', '.join(most)}")
    print(f"mismatches: {found['mismatches']}")
    for text in found["shown"]:
        print(f"  {text}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=300.0, help="triggers/s (%(default)s)")
    parser.add_argument("--trigger", choices=["free_run", "hardware"], default="free_run")
    parser.add_argument("--json", type=Path, help="where to keep the auditor's summary")
    args = parser.parse_args(argv)
    stopped = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    trouble = Trouble(args.seed)
    with (
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,  # a disk waits now and then
    ):
        setting = Setting(
            recipe=made_recipe(Path(made), deadline_ms=2000),
            rate_hz=args.rate,
            trigger=TriggerMode(args.trigger),
            capacity=args.triggers + 100_000,
        )
        with Audited(Path(folder), setting) as line:
            line.until_running()
            begun, before = time.monotonic(), line.spent()
            drive(line, args.triggers, trouble, stopped)
            seconds = time.monotonic() - begun
            now = line.spent()
            status, found = line.finish()
    report(trouble, seconds, {name: now[name] - before[name] for name in now}, found)
    if args.json:
        args.json.write_text(json.dumps({"faults": trouble.made, **found}, indent=1))
    return status


if __name__ == "__main__":
    sys.exit(main())
