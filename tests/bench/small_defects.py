"""Small defects in large frames: what each inspection mode finds, and what it computes for it.

    python -m tests.bench.small_defects DIR

draws nuts of 1500 x 1500 pixels into DIR, good ones and ones with a scratch, pits or a stain of at
most 0.12 % of the frame, trains a bundle of both scales on good ones, calibrates a recipe for each
mode on others, and prints the AUROC of each, whole images alone. What DIR holds already is taken.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from calibration.main import main as calibrate
from daemon.simulator.parts import Defect, draw
from models import recipe as recipes
from models.images import read_rgb, to_tensor
from models.mode import Mode
from training.main import main as train

SIZE = 1500  # pixels
LARGEST = 0.0012  # of the frame
KINDS = (Defect.SCRATCH, Defect.PIT, Defect.CONTAMINATION)
TEST_SEED = 10_000


@dataclass(frozen=True)
class Score:
    defect: str  # "good", or its kind
    area: float  # share of the frame
    score: float
    tiles: float  # share of the tiles' cells that were computed


def draw_parts(folder: Path, good: int, test: int) -> None:
    """Draw ``good`` parts to train and calibrate on, ``test`` good ones and as many defects."""
    for seed in range(good):
        _save(folder / "good" / f"{seed:03}.png", draw(seed, size=SIZE).image)
    for seed in range(TEST_SEED, TEST_SEED + test):
        _save(folder / "test" / f"good-{seed}-0.png", draw(seed, size=SIZE).image)
    seed = 2 * TEST_SEED
    for place in range(test):
        kind = KINDS[place % len(KINDS)]
        while True:
            part, seed = draw(seed, kind, size=SIZE), seed + 1
            area = float((part.mask > 0).mean())
            if 0 < area <= LARGEST:
                break
        _save(folder / "test" / f"{kind}-{seed}-{area:.6f}.png", part.image)


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


def scores(recipe: Path, images: Path, threads: int) -> Iterator[Score]:
    """Inspect every test image by a recipe."""
    loaded = recipes.load(recipe)
    engine = loaded.engine("cpu", threads)
    for path in sorted(images.iterdir()):
        kind, _, area = path.stem.split("-")
        maps = engine.look_at(to_tensor(read_rgb(path)))
        tiles = maps.get("tiles")
        computed = 0.0 if tiles is None else float(tiles.counted.float().mean())
        yield Score(kind, float(area), loaded.fuse(maps).score, computed)


def auroc(good: NDArray[np.float64], bad: NDArray[np.float64]) -> float:
    """Give the share of pairs that are told apart; ties count half."""
    higher = (bad[:, None] > good).mean() + 0.5 * (bad[:, None] == good).mean()
    return float(higher)


def report(mode: Mode, found: list[Score], threshold: float, seconds: float) -> None:
    good = np.array([s.score for s in found if s.defect == "good"])
    said = [f"{mode:9} AUROC {auroc(good, _of(found, None)):.4f}"]
    said += [f"{kind} {auroc(good, _of(found, kind)):.3f}" for kind in KINDS]
    missed = (_of(found, None) < threshold).mean()
    tiles = [
        np.mean([s.tiles for s in found if (s.defect == "good") == is_good]) for is_good in (1, 0)
    ]
    print(
        ", ".join(said)
        + f"; at the threshold {missed:.0%} missed, {(good >= threshold).mean():.0%}"
        f" false rejects; tiles computed {tiles[0]:.1%} of good, {tiles[1]:.1%} of bad;"
        f" {seconds:.2f} s a frame",
        flush=True,
    )


def _of(found: list[Score], kind: str | None) -> NDArray[np.float64]:
    return np.array([s.score for s in found if s.defect == kind or (kind is None and s.area > 0)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path)
    parser.add_argument("--good", type=int, default=48)
    parser.add_argument("--test", type=int, default=30)
    parser.add_argument("--steps", type=int, default=300, help="a scale")
    parser.add_argument("--hold-out", type=float, default=0.25)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    folder: Path = given.dir
    torch.set_num_threads(given.threads)
    if not (folder / "test").exists():
        draw_parts(folder, given.good, given.test)
    bundle = folder / "bundle"
    if not bundle.exists():
        words = ["run", folder / "good", bundle, "--scales", "whole", "tiles"]
        words += ["--steps", given.steps, "--hold-out", given.hold_out, "--no-suspects"]
        if train([str(word) for word in words]):
            return 1
    for mode in Mode:
        recipe = folder / f"recipe-{mode}"
        words = ["run", recipe, "--images", folder / "good", "--bundle", bundle, "--yes"]
        words += ["--mode", mode, "--threads", given.threads]
        if not recipe.exists() and calibrate([str(word) for word in words]):
            return 1
        begun = time.monotonic()
        found = list(scores(recipe, folder / "test", given.threads))
        seconds = (time.monotonic() - begun) / len(found)
        report(mode, found, recipes.load(recipe).calibration.threshold, seconds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
