"""By hand: what keeping an image costs, and what the line feels of it.

python tests/bench/archive_bench.py FOLDER   (on the disk in question; some 100 MB, deleted after)

Prints for frames of 5 and 20 megapixels with sensor noise: milliseconds to copy a frame out of its
slot, to hash and to compress it, and in the whole, with fsync; MB/s of raw pixels in all. Then
microseconds of ``offer`` and the delay of a thread that wakes every 2 ms: idle, beside another
process that is busy, and while the writer is busy without a pause. Then the seconds that a start
takes to see what is in the folder.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from daemon.archive import Archive, ArchivePlan, Kept
from daemon.archive.index import sweep
from daemon.archive.pixels import digest, to_png
from daemon.archive.store import Store
from daemon.channel import Crew
from daemon.simulator.parts import draw
from daemon.simulator.pixels import encode
from models.calibration import AnomalyMap
from models.geometry import Tiles
from models.pixel_format import PixelFormat
from tests.daemon.archive.offers import kept, verdict_of

SIZES = {"5 MP": (2048, 2448), "20 MP": (3648, 5472)}
FORMATS = (PixelFormat.MONO8, PixelFormat.BAYER_RG8, PixelFormat.MONO12, PixelFormat.RGB8)
NOISE = 2.0  # standard deviation, of 255
REPEATS = 5


def noisy(height: int, width: int) -> NDArray[np.uint16]:
    """Give a drawn part with a sensor's noise, RGB in 16 bits."""
    part = cv2.resize(draw(3, size=512).image, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).standard_normal(part.shape, dtype=np.float32)
    rgb: NDArray[np.float32] = np.clip((part + NOISE * noise) * 257, 0, 65535)
    return rgb.astype(np.uint16)


def frame(rgb: NDArray[np.uint16], name: PixelFormat) -> Kept:
    eight = (rgb >> 8).astype(np.uint8)
    if name is PixelFormat.MONO12:
        pixels = (rgb[..., 1] >> 4).astype(np.uint16)
    else:
        pixels = np.ascontiguousarray(encode(eight, name)).astype(np.uint8)
    placement = Tiles(*rgb.shape[:2]).placement
    anomaly = AnomalyMap(torch.rand(placement.cells), placement)
    return replace(kept(1, pixels=pixels, pixel_format=name), anomaly=anomaly)


def milliseconds(work: Callable[[], object]) -> float:
    """Give the shortest of several runs: others may use this machine."""
    took = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return 1000 * min(took)


def costs(folder: Path) -> None:
    print("frame            raw MB   copy ms   hash ms    png ms   png MB  whole ms   all MB/s")
    for size, (height, width) in SIZES.items():
        rgb = noisy(height, width)
        for name in FORMATS:
            item = frame(rgb, name)
            store = Store(folder, ArchivePlan(leave_free_bytes=0), lambda: False)
            numbers = iter(range(1, 1000))

            def write(item: Kept = item, store: Store = store, seqs: object = numbers) -> None:
                verdict = verdict_of(next(seqs))  # type: ignore[call-overload]
                store.write(replace(item, verdict=verdict))

            copy = milliseconds(item.pixels.copy)
            hashed = milliseconds(lambda item=item: digest(item.pixels))  # type: ignore[misc]
            png = milliseconds(lambda item=item: list(to_png(item.pixels, item.pixel_format)))  # type: ignore[misc]
            stored = sum(len(part) for part in to_png(item.pixels, name)) / 1e6
            whole = milliseconds(write)
            store.close()
            raw = item.pixels.nbytes / 1e6
            print(
                f"{size:>5} {name:>9} {raw:8.1f} {copy:9.1f} {hashed:9.1f} {png:9.1f} {stored:8.1f}"
                f" {whole:9.1f} {1000 * raw / (copy + whole):10.0f}"
            )
            shutil.rmtree(folder)


def felt(folder: Path) -> None:
    """What others feel while the writer never pauses."""
    item = frame(noisy(*SIZES["5 MP"]), PixelFormat.MONO8)
    plan = ArchivePlan(keep="all", leave_free_bytes=0, budget_bytes=200 << 20, drain_s=0)
    offers: list[float] = []
    held: list[float] = []
    begun: dict[int, float] = {}
    seqs = itertools.count()

    def freed(number: int) -> None:
        held.append(time.perf_counter() - begun[number])

    def delays(seconds: float, each: Callable[[int], None]) -> NDArray[np.float64]:
        late = []
        for seq in range(int(seconds / 0.002)):
            due = time.perf_counter() + 0.002
            time.sleep(0.002)
            late.append(time.perf_counter() - due)
            each(seq)
        return 1e3 * np.asarray(late)

    def offer(seq: int) -> None:
        if seq % 10:
            return
        number = next(seqs)
        offered = replace(item, verdict=verdict_of(number), release=partial(freed, number))
        begun[number] = time.perf_counter()
        archive.offer(offered)
        offers.append(time.perf_counter() - begun[number])

    for round_ in range(3):
        idle = delays(3, lambda _: None)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
            beside = delays(3, lambda _: None)
            process.kill()
        archive = Archive(folder, plan, lambda _: None)
        crew = Crew(lambda: None)
        archive.start(crew)
        busy = delays(3, offer)
        archive.done()
        crew.join(60)
        counts = archive.counts()
        kept_on = sum(counts.kept.values())
        print(
            f"round {round_}: a thread wakes late by p50/p99/max ms:"
            f" idle {_spread(idle)}, another process busy {_spread(beside)},"
            f" writing {_spread(busy)};"
            f" kept {kept_on}, lost {sum(counts.lost.values())}"
        )
    for name, values, unit in (("offer", offers, 1e6), ("slot held", held, 1e3)):
        some = unit * np.asarray(values)
        print(
            f"{name}: p50 {np.median(some):.1f}, p99 {np.quantile(some, 0.99):.1f},"
            f" max {some.max():.1f} {'us' if unit == 1e6 else 'ms'} of {len(some)}"
        )
    shutil.rmtree(folder)


def _spread(values: NDArray[np.float64]) -> str:
    return f"{np.median(values):.2f}/{np.quantile(values, 0.99):.2f}/{values.max():.2f}"


def start(folder: Path, images: int) -> None:
    """How long a start takes to see what is there."""
    for number in range(images):
        place = folder / f"2026-03-{1 + number % 28:02}" / "nut"
        place.mkdir(parents=True, exist_ok=True)
        for end in (".png", ".npy", ".json"):
            (place / f"nut_{number:08}_c_FAIL{end}").write_bytes(b"x")
    begun = time.perf_counter()
    found = sum(1 for _ in sweep(folder, lambda: False))
    print(f"start: {found} images seen in {time.perf_counter() - begun:.2f} s (cached)")
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder on the disk in question")
    parser.add_argument("--images", type=int, default=20_000, help="for the start [%(default)s]")
    options = parser.parse_args()
    folder = options.folder / "effad-archive-bench"
    print(f"{threading.active_count()} thread, torch {torch.get_num_threads()}")
    costs(folder)
    felt(folder)
    start(folder, options.images)


if __name__ == "__main__":
    main()
