"""What an engine takes for a frame, by backend and precision, against plain ones and the floor.

    python -m tests.bench.engine [--bundle DIR] [--megapixels 0 5] [--threads 1] [--rounds 5]
        [--anomalib FOLDER]

Frames of 0 megapixels are one part at the scale ``whole``, others are cut into all their tiles. All
take turns in one run, and so do a matrix product and a copy, which give the machine's rates; the
floor of a precision is the operations that are really computed at that rate. Medians. FOLDER is or
becomes an environment of its own for anomalib, whose EfficientAd then takes turns as well.
"""

import argparse
import json
import math
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models import bundle as bundles
from models.backend import Backend, backends
from models.bundle import Bundle
from models.engine import Engine
from models.mode import Mode
from models.precision import Precision, has_bf16
from models.scope import Scope
from tests.bench import openvino_plain
from tests.bench.anomalib_peer import Anomalib

DEMO = Path("daemon/demo_recipe/bundle")
TILE = (1, 3, 256, 256)
_SIDE = 2048  # of the matrices


@dataclass(frozen=True)
class Subject:
    name: str
    look: Callable[[], object]
    gflop: float  # computed for a frame
    precision: Precision


def gflop_of(networks: nn.Module) -> float:
    """Give the operations of one tile, in units of 1e9."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        networks(torch.zeros(TILE))
    return float(counter.get_total_flops()) / 1e9


def frame_bundle(bundle: Bundle, megapixels: float) -> tuple[Bundle, Scope]:
    """Give the bundle for frames of so many pixels: the networks of ``whole`` serve as tiles."""
    if not megapixels:
        return bundle, Scope(Mode.WHOLE)
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(height * 4 / 3)
    manifest = bundle.manifest
    size = manifest.input.model_copy(update={"height": height, "width": width})
    found = replace(
        bundle,
        manifest=manifest.model_copy(update={"input": size}),
        detectors={"tiles": bundle.detectors["whole"]},
        reduced={"tiles": thin} if (thin := bundle.reduced.get("whole")) else {},
        reference=nn.functional.interpolate(bundle.reference[None], size=(height, width))[0],
    )
    return found, Scope(Mode.TILES)


def subjects(
    bundle: Bundle, scope: Scope, threads: int, anomalib: Anomalib | None
) -> list[Subject]:
    """Give what takes turns: plain networks and anomalib's tile by tile, and effad's engines."""
    rgb = bundle.reference
    name = str(scope.mode)
    detector, thin = bundle.detectors[name], bundle.reduced.get(name)
    layout = scope.lay(*rgb.shape[-2:])
    cut = list(layout.base.cut(rgb) if name == "tiles" else layout.whole.cut(rgb))
    full = len(cut) * gflop_of(detector)
    reduced = full if thin is None else len(cut) * gflop_of(thin)

    def plain() -> object:
        with torch.inference_mode():
            return [detector(tile[None]) for tile in cut]

    found = [Subject("plain torch fp32", plain, full, Precision.FP32)]
    if anomalib is not None:
        peers = anomalib.looks(len(cut))
        found += [Subject(n, peer, full, Precision.FP32) for n, peer in peers.items()]
    precisions = [p for p in Precision if p is not Precision.BF16 or has_bf16()]
    here = backends("cpu")
    if Backend.OPENVINO in here:
        for p in precisions:
            if p is not Precision.REDUCED:
                peers = openvino_plain.looks(detector, cut, p, threads)
                found += [Subject(n, peer, full, p) for n, peer in peers.items()]
    for backend in here:
        for precision in precisions:
            engine = Engine(
                bundle, precision=precision, threads=threads, scope=scope, backend=backend
            )
            gflop = full if precision is Precision.FP32 else reduced
            engine.prepare()
            look = partial(engine.look_at, rgb)
            found.append(Subject(f"effad {backend} {precision}", look, gflop, precision))
    return found


def rates() -> Mapping[str, Callable[[], float]]:
    """Give what measures this machine: GFLOP/s of each precision's matrix product, GB/s copied."""
    wide = torch.randn(_SIDE, _SIDE)
    kinds = {Precision.FP32: wide, Precision.REDUCED: wide, Precision.BF16: wide.bfloat16()}
    block = torch.zeros(1 << 26, dtype=torch.uint8)
    other = torch.empty_like(block)

    def product(values: Tensor) -> Callable[[], float]:
        return lambda: 2 * _SIDE**3 / 1e9 / _seconds(lambda: values @ values)

    found = {str(p): product(values) for p, values in kinds.items()}
    return {**found, "copy": lambda: 2 * block.numel() / 1e9 / _seconds(lambda: other.copy_(block))}


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(
    bundle: Bundle,
    megapixels: float,
    threads: int,
    rounds: int,
    anomalib: Anomalib | None,
    only: str,
) -> dict[str, object]:
    """Give the table of one frame size."""
    sized, scope = frame_bundle(bundle, megapixels)
    those = [s for s in subjects(sized, scope, threads, anomalib) if re.search(only, s.name)]
    machine = rates()
    took: dict[str, list[float]] = {s.name: [] for s in those}
    rate: dict[str, list[float]] = {name: [] for name in machine}
    warm = 0 if megapixels else 1  # a frame of many tiles warms itself
    for turn in range(rounds + warm):
        for subject in those:
            seconds = _seconds(subject.look)
            if turn >= warm:
                took[subject.name].append(seconds)
        for name, one in machine.items():
            rate[name].append(one())
    rated = {name: statistics.median(values) for name, values in rate.items()}
    first = statistics.median(took[those[0].name])
    height, width = sized.reference.shape[-2:]
    rows = []
    said = ", ".join(f"{name} {value:.1f}" for name, value in rated.items())
    print(f"{width} x {height}; this machine, GFLOP/s and GB/s: {said}")
    for subject in those:
        seconds = statistics.median(took[subject.name])
        floor = subject.gflop / rated[subject.precision]
        rows.append(
            {
                "name": subject.name,
                "seconds": seconds,
                "gflop": subject.gflop,
                "floor_seconds": floor,
                "of_first": first / seconds,
            }
        )
        print(
            f"  {subject.name:32} {1000 * seconds:9.1f} ms  {first / seconds:5.2f} x"
            f" {those[0].name}  floor {1000 * floor:8.1f} ms ({floor / seconds:.0%})",
            flush=True,
        )
    return {
        "megapixels": megapixels,
        "width": width,
        "height": height,
        "rates": rated,
        "rows": rows,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=DEMO)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.0, 5.0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--anomalib", type=Path, help="folder of its environment")
    parser.add_argument("--only", default="", help="rows whose name has this regular expression")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    bundle = bundles.load(args.bundle)
    libraries = {name: version(name) for name in map(str, backends("cpu"))}
    about = {
        "python": platform.python_version(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": args.threads,
        "cores": sorted(os.sched_getaffinity(0)),
        **libraries,
    }
    print(json.dumps(about))
    anomalib = args.anomalib and Anomalib(args.anomalib, args.threads)
    tables = [
        measure(bundle, size, args.threads, args.rounds, anomalib, args.only)
        for size in args.megapixels
    ]
    if anomalib:
        anomalib.close()
    if args.json is not None:
        args.json.write_text(json.dumps({**about, "tables": tables}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
