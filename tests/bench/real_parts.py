"""By hand: a real data set through camera, daemon and effad-watch, held against the bundle alone.

python tests/bench/real_parts.py RECIPE TEST_FOLDER   (MVTec layout: good/, and a folder a defect)

Shows every test image to the daemon through harvesters and the simulated camera, receives verdicts
and maps with effad-watch in a process of its own, and prints image AUROC from the received scores,
the largest difference of scores and maps to the same bundle run here, and latencies.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.simulator.pixels import encode
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models import recipe as recipes
from models.calibration import fuse
from models.engine import Engine
from models.images import find_images, read_rgb

LINE = """\
[[stations]]
name = "bench"
recipe = "{recipe}"
[[stations.cameras]]
producer = "simulator"
slots = 32
[sockets]
control = "ipc://{folder}/control"
results = "ipc://{folder}/results"
maps = "ipc://{folder}/maps"
"""


def auroc(scores: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    """Share of (bad, good) pairs that the scores order rightly, ties half."""
    pairs = scores[bad][:, None] - scores[~bad][None, :]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def watched(folder: Path, recipe: Path, scene: Scene, count: int) -> list[dict[str, Any]]:
    """Run daemon and effad-watch until so many verdicts came; give them."""
    config = folder / "effad.toml"
    config.write_text(LINE.format(recipe=recipe.resolve(), folder=folder))
    watch = subprocess.Popen(
        [
            *(sys.executable, "-m", "daemon.watch", "--json", "--count", str(count)),
            *("--results", f"ipc://{folder}/results", "--maps", f"ipc://{folder}/maps"),
            *("--save", str(folder / "heat"), "--save-all", "--save-maps", "--timeout", "40"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    daemon = subprocess.Popen(
        [sys.executable, "-m", "daemon.main", "--config", str(config)],
        env={**os.environ, **scene.environ()},
        stderr=(folder / "log").open("wb"),
    )
    said, _ = watch.communicate()
    daemon.send_signal(signal.SIGTERM)
    print(f"effad-watch: status {watch.returncode}; effad: status {daemon.wait()}")
    if daemon.returncode or watch.returncode:
        raise SystemExit((folder / "log").read_text()[-2000:])
    return [json.loads(line) for line in said.splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--rate", type=float, default=1.0, help="frames a second")
    options = parser.parse_args()
    paths = [p for kind in sorted(options.test.iterdir()) for p in find_images(kind)]
    bad = np.array([p.parent.name != "good" for p in paths])
    images = [read_rgb(p) for p in paths]
    camera = CameraScene(
        serial="BENCH",
        images=images,
        pixel_format=PixelFormat.RGB8,
        rate_hz=options.rate,
        trigger=TriggerMode.FREE_RUN,
        loop=False,
    )
    with tempfile.TemporaryDirectory(prefix="effad-bench-") as name:
        folder = Path(name)
        with Scene.create(folder / "scene", [camera]) as scene:
            verdicts = watched(folder, options.recipe, scene, len(paths))
        report(options.recipe, paths, images, bad, verdicts)
    return 0


def report(
    recipe: Path,
    paths: list[Path],
    images: list[NDArray[np.uint8]],
    bad: NDArray[np.bool_],
    verdicts: list[dict[str, Any]],
) -> None:
    loaded = recipes.load(recipe)
    threads = max(1, len(os.sched_getaffinity(0)) - 1)  # as the daemon's default
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision, threads=threads)
    calibration = loaded.calibration
    scores, latencies, score_off, map_off = [], [], 0.0, 0.0
    kinds: dict[str, int] = {}
    for image, verdict in zip(images, verdicts, strict=True):
        view = verdict["views"][0]
        kinds[verdict["verdict"]] = kinds.get(verdict["verdict"], 0) + 1
        frame = np.asarray(encode(image, PixelFormat.RGB8), np.uint8)
        maps = engine.look(frame, PixelFormat.RGB8)
        plain = fuse(maps, calibration.scales, calibration.alpha, loaded.bundle.weights)
        scores.append(view["score"])
        score_off = max(score_off, abs(view["score"] - plain.score))
        received = np.load(Path(verdict["map_file"]).with_suffix(".npy"))
        half = plain.values.numpy().astype(np.float16).astype(np.float32)
        map_off = max(map_off, float(np.abs(received - half).max()))
        latencies.append((verdict["published_ns"] - view["received_ns"]) / 1e6)
    values = np.array(scores, np.float64)
    print(f"frames shown {len(paths)}, verdicts {len(verdicts)}: {kinds}")
    print(f"engine {engine.fingerprint}")
    print(f"image AUROC {auroc(values, bad):.4f}")
    for kind in sorted({p.parent.name for p in paths} - {"good"}):
        some = np.array([p.parent.name in ("good", kind) for p in paths])
        print(f"  {kind}: {auroc(values[some], bad[some]):.4f}")
    fails = np.array([v["verdict"] == "FAIL" for v in verdicts])
    print(f"recall {fails[bad].mean():.3f}, false rejects {fails[~bad].mean():.3f}")
    print(f"largest difference: score {score_off:.3g}, map (float16) {map_off:.3g}")
    p50, p99 = np.percentile(latencies, [50, 99])
    print(f"latency, frame received to verdict published: p50 {p50:.0f} ms, p99 {p99:.0f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
