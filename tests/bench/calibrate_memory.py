"""What measuring costs: peak memory by number of frames, and the end of it against inference.

python -m tests.bench.calibrate_memory [--size HEIGHT WIDTH] [--frames N ...] [--processes N]

Networks of three channels look at frames of noise that are drawn as they are shown, so that what is
seen to grow is the calibration's own. ``rise`` is the peak beside the model: over what the process
held after one look.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from calibration.crew import CrewPlan
from calibration.measure import Measurement
from calibration.shown import Shown
from models.mode import Mode
from models.pixel_format import PixelFormat
from models.scope import Scope
from tests.calibration.shown_frames import CHOICE, ThinPlan, thin_plan


def frames(number: int, height: int, width: int) -> Iterator[Shown]:
    """Draw Bayer frames, as a camera of so many pixels sends them."""
    still = np.random.default_rng(0).integers(0, 200, (height, width), np.uint8)
    for seed in range(number):
        pixels = still + np.uint8(seed % 50)
        pixels[:256, :256] = np.random.default_rng(seed).integers(0, 255, (256, 256), np.uint8)
        yield Shown.of(f"{seed:05}", f"{seed:05}", pixels, PixelFormat.BAYER_RG8)


def once(number: int, height: int, width: int, mode: Mode, processes: int) -> None:
    """Measure so many frames, and print a line."""
    plan: ThinPlan = thin_plan(Scope(mode), (height, width))
    bundle, engine = plan.make()
    process = psutil.Process()
    for shown in frames(1, height, width):
        engine.look(shown.pixels, shown.pixel_format)
    before = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    crew = CrewPlan.of(plan, processes)
    with (
        tempfile.TemporaryDirectory() as folder,
        Measurement(bundle, engine, CHOICE, Path(folder), crew) as measurement,
    ):
        start = time.perf_counter()
        measurement.show(frames(number, height, width), number, lambda seen: None)
        middle = time.perf_counter()
        record = measurement.finish().calibration
        end = time.perf_counter()
    done.set()
    watcher.join()
    errors = [r.rank_error for s in record.scales.values() for r in (s.local, s.globally)]
    print(
        f"{number:6} frames of {height * width / 1e6:5.2f} MP, {mode}, {processes} processes:"
        f" before {before / 1e6:5.0f} MB, peak {peak / 1e6:5.0f} MB, rise"
        f" {(peak - before) / 1e6:4.0f} MB; looks {middle - start:6.1f} s, end"
        f" {end - middle:6.1f} s ({(end - middle) / (middle - start):.1%});"
        f" rank error {max(errors):.1e}; record {len(record.model_dump_json()) / 1e3:.0f} kB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640))
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 2000])
    parser.add_argument("--mode", type=Mode, default=Mode.PYRAMID)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    if len(args.frames) == 1:
        once(args.frames[0], args.size[0], args.size[1], args.mode, args.processes)
        return
    for number in args.frames:  # each in a process of its own, with its own peak
        words = ["--size", *args.size, "--mode", args.mode, "--processes", args.processes]
        words += ["--frames", number]
        subprocess.run([sys.executable, "-m", __spec__.name, *map(str, words)], check=True)


if __name__ == "__main__":
    main()
