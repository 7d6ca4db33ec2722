"""Swaps in a row under load: how many triggers are lost or late, and how long the slowest takes.

``python -m tests.bench.hot_swap RECIPE [--images FOLDER] [--share 0.8] [--deadlines 2]
[--swaps 100] [--shadow] [--nice N] [--threads N]``. The rate is a share of the highest that the
line keeps up with, measured first; the deadline is a multiple of the median latency at that rate.
The same time without a swap comes before: what the machine itself makes late is late there too.
Latency is from the simulator's exposure to a subscriber beside the line.
"""

import argparse
import statistics
import sys
import tempfile
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

from daemon.messages import Reason
from daemon.replies import Reply
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models import recipe as recipes
from models import recipe_store as store
from models.recipe import LoadedRecipe
from tests.bench.paced import SERIAL, Paced, Told, images
from tests.system.line import Line, station

LAUNCH = """
import sys
from daemon.changeover import desk
desk.NICE = {nice}
from daemon.main import main
sys.exit(main())
"""


class Swapper(threading.Thread):
    """Activates two recipes in turn, each as soon as the other judges."""

    def __init__(self, line: Line, count: int) -> None:
        super().__init__(daemon=True)
        self._line, self._count = line, count
        self.replies: list[Reply] = []
        self.done = threading.Event()

    def run(self) -> None:
        try:
            for n in range(self._count):
                name = ("b", "a")[n % 2]
                self.replies.append(self._line.ask(command="ActivateRecipe", recipe=name))
        finally:
            self.done.set()


def library(folder: Path, given: LoadedRecipe, deadline_ms: int) -> Path:
    """Write recipes a and b, the same but for their names."""
    for name in ("a", "b"):
        where = folder / name
        recipe = given.recipe.model_copy(
            update={
                "name": name,
                "id": None,
                "version": 1,
                "bundle": recipes.relative(given.bundle.path, where),
                "deadline_ms": deadline_ms,
            }
        )
        store.add(where, recipe, {n: (given.path / n).read_bytes() for n in recipe.named})
        store.activate(where, 1, who="bench", why="bench")
    return folder / "a"


def say(what: str, told: list[Told]) -> None:
    late = Counter(t.verdict.reason for t in told if t.verdict.reason is not None)
    seqs = [t.verdict.seq for t in told]
    holes = sum(b - a - 1 for a, b in pairwise(seqs))
    ms = sorted(t.latency_ms for t in told)
    others = {str(k): n for k, n in late.items() if k is not Reason.LATE}
    print(
        f"{what}: {len(told)} verdicts, {holes} missing, {late[Reason.LATE]} late, others {others};"
        f" latency median {ms[len(ms) // 2]:.1f}, 99 % {ms[int(0.99 * len(ms))]:.1f},"
        f" most {ms[-1]:.1f} ms",
        flush=True,
    )
    for t in told:
        if t.verdict.reason is not None:
            why = "; ".join(view.detail or "" for view in t.verdict.views)
            print(f"  part {t.verdict.seq}: {why}", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--share", type=float, default=0.8)
    parser.add_argument("--deadlines", type=float, default=2.0)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--shadow", action="store_true")
    parser.add_argument("--nice", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    given = recipes.load(options.recipe.resolve())
    shown = images(given, options.images)
    camera = CameraScene(SERIAL, shown, PixelFormat.RGB8, trigger=TriggerMode.HARDWARE)
    command = (sys.executable, "-c", LAUNCH.format(nice=options.nice))
    more = f"\n[engine]\nthreads = {options.threads}\n[images]\nkeep = 'none'\n"

    def run(folder: Path, deadline_ms: int) -> tuple[Scene, Line]:
        recipe = library(folder / "recipes", given, deadline_ms)
        settings = station(recipe, 'trigger = "hardware"', "slots = 16") + more
        scene = Scene.create(folder / "scene", [camera])
        return scene, Line(folder, settings, scene, command)

    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:
        first = Path(temporary) / "1"
        first.mkdir()
        scene, line = run(first, 60_000)
        with scene, line:
            line.running()
            paced = Paced(line, scene)
            paced.fastest(2.0)  # warm
            fastest = paced.fastest(options.seconds)
            rate = options.share * fastest
            told = paced.pace(rate, options.seconds)
            line.stop()
        median = statistics.median(t.latency_ms for t in told)
        deadline = round(options.deadlines * median)
        say(f"{rate:.1f} a second, {options.share:.0%} of {fastest:.1f}, no deadline", told)
        second = Path(temporary) / "2"
        second.mkdir()
        scene, line = run(second, deadline)
        with scene, line:
            line.running()
            paced = Paced(line, scene)
            paced.pace(rate, 2.0)
            if options.shadow:
                assert line.ask(command="Shadow", recipe="b").ok
            say(f"deadline {deadline} ms, no swap", paced.pace(rate, options.seconds))
            if options.shadow:
                report = line.ask(command="GetShadow").shadow
                print(report and report.model_dump(include={"compared", "skipped", "failed"}))
                return 0
            swapper = Swapper(line, options.swaps)
            swapper.start()
            told = paced.pace(rate, swapper.done)
            swapper.join()
            line.stop()
        say(f"deadline {deadline} ms, {len(swapper.replies)} swaps", told)
        report_swaps(swapper.replies, told)
    return 0


def report_swaps(replies: list[Reply], told: list[Told]) -> None:
    done = [r.activated for r in replies if r.activated is not None]
    firsts = {a.first for a in done}
    around = [t.latency_ms for t in told if {t.verdict.seq - 1, t.verdict.seq} & firsts]
    wrong, judges = 0, None
    by_first = {a.first: a.now.recipe for a in done}
    for one in sorted(told, key=lambda t: t.verdict.seq):
        judges = by_first.get(one.verdict.seq, judges)
        wrong += judges is not None and one.verdict.recipe != judges
    loading = sorted(a.loading_ms for a in done)
    switching = max(a.switching_ms for a in done)
    print(
        f"{len(done)} of {len(replies)} done; judged by another than announced: {wrong}; around a"
        f" swap at most {max(around):.1f} ms; loading median {loading[len(loading) // 2]:.0f}, most"
        f" {loading[-1]:.0f} ms; switching at most {switching:.2f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
