"""The whole daemon, from a simulated camera to a received verdict, against its bare engine.

    python -m tests.bench.whole_daemon [RECIPE] [--images FOLDER] [--threads 1] [--rounds 5]
        [--cameras 1] [--outstanding 4]

Throughput: engine alone and daemon take turns in one run; medians. Latency: triggers at a share of
the rate that the daemon keeps up with, from the simulator's exposure to a subscriber beside the
line; the control is the bare engine's look, in turns with it: what this machine itself spreads.
Several cameras look at each part at once; frames are counted, and latency is a part's. As many
parts wait as are outstanding.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import torch

from daemon.demo import SHIPPED
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models import recipe as recipes
from tests.bench.paced import Paced, images
from tests.system.line import Line


def quantile(values: Sequence[float], p: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(p * len(ordered)), len(ordered) - 1)]


def looks(look: Callable[[], object], seconds: float) -> list[float]:
    """Give the seconds that each look took, one after the other for a while."""
    took = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        look()
        took.append(time.perf_counter() - began)
    return took


def spread(name: str, ms: Sequence[float]) -> dict[str, float]:
    found = {f"p{100 * p:g}": quantile(ms, p) for p in (0.5, 0.99, 0.999)}
    ratio = found["p99"] / found["p50"]
    said = ", ".join(f"{p} {value:.1f}" for p, value in found.items())
    print(f"{name}: {said} ms of {len(ms)}; p99 is {ratio:.2f} x the median", flush=True)
    return {**found, "count": len(ms), "p99_by_median": ratio}


def settings_of(recipe: Path, serials: Sequence[str]) -> str:
    cameras = [
        f'[[stations.cameras]]\nname = "{serial}"\nproducer = "simulator"\nserial = "{serial}"\n'
        'trigger = "hardware"\nslots = 16'
        for serial in serials
    ]
    return "\n".join(['[[stations]]\nname = "nut"', f'recipe = "{recipe}"', *cameras])


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    recipe = recipes.load(options.recipe.resolve())
    shown = images(recipe, options.images)
    serials = [f"A{n + 1}" for n in range(options.cameras)]
    engine = recipe.engine("cpu", options.threads)
    engine.prepare()

    def look() -> object:
        return recipe.fuse(engine.look(shown[0], PixelFormat.RGB8))

    more = f"\n[engine]\nthreads = {options.threads}\n[images]\nkeep = 'none'\n"
    settings = settings_of(options.recipe.resolve(), serials) + more
    scene = Scene.create(
        folder / "scene",
        [CameraScene(s, shown, PixelFormat.RGB8, trigger=TriggerMode.HARDWARE) for s in serials],
    )
    bare: list[float] = []
    whole: list[float] = []
    alone: list[float] = []
    latency: list[float] = []
    with scene, Line(folder, settings, scene) as line:
        line.running()
        paced = Paced(line, scene, serials, options.outstanding)
        paced.fastest(2.0)
        looks(look, 2.0)
        for _ in range(options.rounds):
            took = looks(look, options.seconds)
            bare.append(len(took) / sum(took))
            whole.append(len(serials) * paced.fastest(options.seconds))
        rate = options.share * statistics.median(whole) / len(serials)
        memory = psutil.Process(line.process.pid).memory_info().rss / 1e6
        for _ in range(options.rounds):
            alone += (1000 * t for t in looks(look, options.seconds))
            latency += (t.latency_ms for t in paced.pace(rate, options.seconds))
        line.stop()
    share = statistics.median(w / b for w, b in zip(whole, bare, strict=True))
    print(
        f"engine alone {statistics.median(bare):.2f} frames/s, daemon"
        f" {statistics.median(whole):.2f}: {share:.1%} (median of {len(bare)} pairs);"
        f" {memory:.0f} MB resident",
        flush=True,
    )
    return {
        "engine": engine.fingerprint,
        "bare": bare,
        "daemon": whole,
        "share": share,
        "rate": rate,
        "memory_mb": memory,
        "latency_ms": spread(f"latency at {rate:.2f} a second", latency),
        "control_ms": spread("control, the engine's look", alone),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--outstanding", type=int, default=4, help="parts, for the throughput")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="a turn")
    parser.add_argument("--share", type=float, default=0.8, help="of the rate, for the latency")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:
        found = measure(options, Path(temporary))
    found |= {"torch": torch.__version__, "cores": sorted(os.sched_getaffinity(0))}
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
