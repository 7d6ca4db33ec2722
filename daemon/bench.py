"""effad-bench: what this PC can inspect per second, and what holds it back."""

import argparse
import json
import math
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from daemon.demo import SHIPPED
from daemon.inspection.inspectors import device_of
from daemon.inspection.judge import judge
from models import recipe as recipes
from models.bundle import Bundle
from models.engine import Engine
from models.errors import reports_input_errors
from models.mode import Mode
from models.pixel_format import PixelFormat
from models.pixels import RawFrame, to_rgb, upload
from models.recipe import LoadedRecipe

T = TypeVar("T")
#: Stages of a frame's way, in order, and what helps where one takes longest.
STAGES = {
    "copy": "memory holds it back: fewer cameras on this PC, or faster memory",
    "convert": "pixels becoming RGB hold it back: let the camera send RGB8, or Mono8",
    "networks": "the networks hold it back: more threads or a GPU, effad[openvino], a smaller"
    " region of interest, or mode adaptive",
    "fuse": "fusing maps holds it back: a smaller region of interest",
    "judge": "finding regions holds it back: a higher pixel threshold, or a minimum area",
}


@dataclass(frozen=True)
class Speed:
    """What frames of a size take: medians, in seconds."""

    name: str
    width: int
    height: int
    tiles: int
    engine: str  # fingerprint
    seconds: dict[str, float]  # a stage each

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def slowest(self) -> str:
        return max(self.seconds, key=self.seconds.__getitem__)


def at_size(recipe: LoadedRecipe, megapixels: float) -> LoadedRecipe:
    """Give a recipe for frames of so many megapixels, 4 to 3, in all their tiles.

    Where the bundle has no scale ``tiles``, the networks of ``whole`` stand in: they take as long.
    """
    height = max(1, round(math.sqrt(megapixels * 1e6 * 3 / 4)))
    width = max(1, round(height * 4 / 3))
    bundle, calibration = recipe.bundle, recipe.calibration
    scale = next(s for s in ("tiles", "whole") if s in calibration.scales)
    entry = next(s for s in bundle.manifest.scales if s.name == scale)
    manifest = bundle.manifest.model_copy(
        update={
            "input": bundle.manifest.input.model_copy(update={"height": height, "width": width}),
            "scales": (entry.model_copy(update={"name": "tiles"}),),
        }
    )
    return replace(
        recipe,
        recipe=recipe.recipe.model_copy(update={"mode": Mode.TILES, "region_of_interest": None}),
        bundle=replace(
            bundle,
            manifest=manifest,
            detectors={"tiles": bundle.detectors[scale]},
            reduced={"tiles": bundle.reduced[scale]} if scale in bundle.reduced else {},
        ),
        calibration=calibration.model_copy(
            update={"scales": {"tiles": calibration.scales[scale]}, "ask": None}
        ),
        ignored=None,
    )


def measure(
    name: str,
    recipe: LoadedRecipe,
    device: str,
    threads: int,
    pixel_format: PixelFormat,
    seconds: float,
) -> Speed:
    """Time each stage of a frame's way for some seconds, after a look that warms up.

    The frame is the bundle's reference, repeated to the size.
    """
    engine = recipe.engine(device, threads)
    engine.prepare()
    size = recipe.bundle.manifest.input
    frame = _frame(recipe.bundle, pixel_format)
    took: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in _stages(recipe, engine, frame, pixel_format):
        pass
    until = time.monotonic() + seconds
    while not took["judge"] or time.monotonic() < until:
        for stage, passed in _stages(recipe, engine, frame, pixel_format):
            took[stage].append(passed)
    layout = engine.scope.lay(*engine.scope.size(size.height, size.width))
    tiles = ("whole" in engine.mode.scales) + len(layout.kept) * ("tiles" in engine.mode.scales)
    medians = {stage: statistics.median(times) for stage, times in took.items()}
    return Speed(name, size.width, size.height, tiles, engine.fingerprint, medians)


def _frame(bundle: Bundle, pixel_format: PixelFormat) -> RawFrame:
    size = bundle.manifest.input
    rgb = (bundle.reference.permute(1, 2, 0).numpy() * (2**pixel_format.bits - 1)).round()
    down, across = -(-size.height // rgb.shape[0]), -(-size.width // rgb.shape[1])
    rgb = np.tile(rgb, (down, across, 1))[: size.height, : size.width]
    if pixel_format.channels == 1:
        found = rgb.mean(axis=2)
    else:
        found = np.dstack([rgb, rgb[..., :1]])[..., : pixel_format.channels]
    found = np.ascontiguousarray(found)
    return found.astype(np.uint8) if pixel_format.bits == 8 else found.astype(np.uint16)


def _stages(
    recipe: LoadedRecipe, engine: Engine, frame: RawFrame, pixel_format: PixelFormat
) -> Iterator[tuple[str, float]]:
    slot = np.empty_like(frame)
    yield "copy", _timed(partial(np.copyto, slot, frame))[0]
    seconds, rgb = _timed(lambda: to_rgb(upload(slot, engine.device), pixel_format))
    yield "convert", seconds
    seconds, maps = _timed(lambda: engine.look_at(rgb))
    yield "networks", seconds
    seconds, anomaly = _timed(lambda: recipe.fuse(maps))
    yield "fuse", seconds
    yield "judge", _timed(lambda: judge(anomaly, recipe))[0]


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def table(speeds: list[Speed]) -> Table:
    """Lay out what was measured, a frame size a row."""
    found = Table(box=None, pad_edge=False)
    for column in ("frames of", "tiles", "frames/s", "ms", *STAGES):
        left = column == "frames of"
        found.add_column(column, justify="left" if left else "right", no_wrap=True)
    for speed in speeds:
        found.add_row(
            f"{speed.name}, {speed.width} x {speed.height}",
            str(speed.tiles),
            f"{1 / speed.total:.3g}",
            f"{1000 * speed.total:.1f}",
            *(f"{1000 * speed.seconds[stage]:.1f}" for stage in STAGES),
        )
    return found


@reports_input_errors("effad-bench")
def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    recipe = recipes.load(args.recipe)
    device = device_of(args.device, recipe)
    sized = [(recipe.recipe.name, recipe)]
    sized += [(f"{size:g} MP", at_size(recipe, size)) for size in args.megapixels]
    speeds = [
        measure(name, one, device, args.threads, args.pixel_format, args.seconds)
        for name, one in sized
    ]
    engine = speeds[0].engine
    cores = len(os.sched_getaffinity(0))
    about = {"processor": _processor(), "cores": cores, "engine": engine}
    if args.json:
        rows = [
            {**asdict(speed), "frames_per_second": 1 / speed.total, "slowest": speed.slowest}
            for speed in speeds
        ]
        print(json.dumps({**about, "threads": args.threads, "speeds": rows}, indent=1))
        return 0
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{about['processor']}, {_cores(cores)}; {engine}")
    console.print("one worker, one frame after the other, medians in ms; a camera takes more cores")
    console.print(table(speeds))
    own = speeds[0]
    share = own.seconds[own.slowest] / own.total
    console.print(f"{own.name}: {own.slowest} takes {share:.0%}; {STAGES[own.slowest]}")
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="effad-bench", description=__doc__)
    parser.add_argument(
        "recipe", type=Path, nargs="?", default=SHIPPED, help="folder (default: the demo's)"
    )
    parser.add_argument(
        "--megapixels",
        type=_positive,
        nargs="*",
        default=[1.0, 5.0],
        metavar="MP",
        help="frame sizes beside the recipe's own, inspected in all their tiles (default: 1 5)",
    )
    parser.add_argument(
        "--threads",
        type=_count,
        default=max(1, len(os.sched_getaffinity(0)) - 1),
        help="of the networks (default here: %(default)s, the cores less one)",
    )
    parser.add_argument(
        "--device", type=_device, default="auto", help="cpu, cuda or cuda:N (default: the recipe's)"
    )
    parser.add_argument(
        "--pixel-format", type=PixelFormat, choices=list(PixelFormat), default=PixelFormat.RGB8
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=5.0,
        help="at each size, after a frame that warms up; one frame at least (default: 5)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def _positive(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 200:
        raise argparse.ArgumentTypeError(f"{text}: must be 0.01 to 200")
    return value


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", text):
        raise argparse.ArgumentTypeError(f"{text}: must be auto, cpu, cuda or cuda:N")
    return text


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1024:
        raise argparse.ArgumentTypeError(f"{text}: must be 1 to 1024")
    return value


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
