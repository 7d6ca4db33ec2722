"""What inspecting a frame takes of memory, by its size, beside weights, libraries and its slot.

    python -m tests.bench.frame_memory [RECIPE] [--megapixels 1 5 20] [--threads 1]

Each size in a process of its own: a small frame is looked at, the peak is set back, then a frame in
all its tiles is inspected, to its regions.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import torch

from daemon.bench import at_size
from daemon.demo import SHIPPED
from daemon.inspection.judge import judge
from models import recipe as recipes
from models.pixel_format import PixelFormat

_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"  # proc(5), clear_refs


def megabytes(field: str) -> float:
    """Give what the kernel says of this process: VmRSS, or VmHWM, its peak."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def once(path: Path, megapixels: float, threads: int) -> None:
    """Inspect one frame, and print a line."""
    torch.set_num_threads(threads)
    recipe = at_size(recipes.load(path), megapixels)
    engine = recipe.engine("cpu", threads)
    engine.prepare()
    size = recipe.bundle.manifest.input
    slot = (255 * torch.rand(size.height, size.width, 3)).byte().numpy()
    engine.look(slot[:256, :256], PixelFormat.RGB8)
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    before, began = megabytes("VmRSS"), time.monotonic()
    judge(recipe.fuse(engine.look(slot, PixelFormat.RGB8)), recipe)
    seconds = time.monotonic() - began
    rise = megabytes("VmHWM") - before
    print(
        f"{megapixels:5.1f} MP, {size.width} x {size.height}: {rise:.0f} MB beside {before:.0f} MB"
        f" of process and slot ({slot.nbytes / 1e6:.0f} MB); {seconds:.1f} s, {engine.fingerprint}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 5.0, 20.0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        once(given.recipe, given.megapixels[0], given.threads)
        return 0
    for size in given.megapixels:
        words = ["--once", given.recipe, "--megapixels", size, "--threads", given.threads]
        command = [sys.executable, "-m", "tests.bench.frame_memory", *map(str, words)]
        subprocess.run(command, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
