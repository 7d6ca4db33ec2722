"""What a frame costs in the daemon and the camera's process, without inference, by thread.

``python -m tests.bench.cpu_cost [--rates 50,200,400] [--seconds 20] [--maps none]``. The frames are
64 x 64 and their maps 56 x 56; inference gives the same map at once. CPU time is the kernel's, in
ns (/proc/PID/task/TID/schedstat).
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from daemon.simulator.scene import TriggerMode
from tests.audit.audited import Audited, Setting, made_recipe

LIMIT = 60.0  # seconds


def measure(line: Audited, seconds: float) -> tuple[float, dict[str, Counter[str]]]:
    """Give the triggers in an interval, and the ns that each thread of each process spent."""
    before = line.spent()
    begun = line.triggers
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line.check()
        time.sleep(0.1)
    now = line.spent()
    return line.triggers - begun, {name: now[name] - before[name] for name in now}


def run(recipe: Path, rate_hz: float, seconds: float, maps: str) -> None:
    mode = TriggerMode.FREE_RUN if rate_hz else TriggerMode.HARDWARE
    launch = ("tests.audit.launch", "--plant", "still")
    setting = Setting(recipe, rate_hz=rate_hz, trigger=mode, launch=launch, maps=maps)
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,  # a disk waits now and then
        Audited(Path(folder), setting) as line,
    ):
        if rate_hz:
            line.until(round(2 * rate_hz))
        else:
            line.until_running()
        frames, by_process = measure(line, seconds)
        line.finish()
    print(f"\n{rate_hz:g} triggers/s, {frames} in {seconds:g} s, maps {maps}", flush=True)
    for process, threads in by_process.items():
        total = sum(threads.values())
        print(f"  {process:8} {total / 1e9 / seconds:6.1%} of a core{_each(total, frames)}")
        for thread, ns in threads.most_common(8):
            print(f"    {thread:16} {ns / 1e9 / seconds:6.2%}{_each(ns, frames)}")
    total = sum(sum(threads.values()) for threads in by_process.values())
    print(f"  both     {total / 1e9 / seconds:6.1%} of a core{_each(total, frames)}")


def _each(ns: int, frames: float) -> str:
    return f"  {ns / 1e6 / frames:.3f} ms a frame" if frames else ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="0,50,200,400", help="triggers/s; 0: a line that waits")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--maps", choices=["none", "fail", "all"], default="all")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        recipe = made_recipe(Path(folder), deadline_ms=2000)
        for rate in args.rates.split(","):
            run(recipe, float(rate), args.seconds, args.maps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
