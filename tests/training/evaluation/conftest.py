"""A small data set with masks for the drawn parts that ``tiny_bundle`` was trained on."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from daemon.simulator.parts import draw
from tests.conftest import SIZE
from training.evaluation.main import main

DEFECTS = {"hole": (0, 0, 0), "spot": (255, 40, 40)}  # RGB
SEEDS = {"hole": (30, 31), "spot": (30,)}


def defective(path: Path, mask: Path, seed: int, colour: tuple[int, int, int]) -> None:
    """Write a part with a square of a colour, and the mask of that."""
    image = draw(seed, size=SIZE).image.copy()
    marked = np.zeros((SIZE, SIZE), np.uint8)
    marked[30 : 54 + seed % 9, 40:70] = 255
    image[marked > 0] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])
    cv2.imwrite(str(mask), marked)


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory, good_parts: Path) -> Path:
    """A data set in MVTec's layout: 4 good images, of which 2 are trained on.

    Not to be changed; ``own_data`` is.
    """
    root = tmp_path_factory.mktemp("data") / "drawn"
    shutil.copytree(good_parts, root / "train" / "good")
    (root / "test" / "good").mkdir(parents=True)
    for seed in (20, 21):
        image = draw(seed, size=SIZE).image
        cv2.imwrite(str(root / "test" / "good" / f"{seed:03}.png"), image[..., ::-1])
    for kind, colour in DEFECTS.items():
        for seed in SEEDS[kind]:
            mask = root / "ground_truth" / kind / f"{seed:03}_mask.png"
            defective(root / "test" / kind / f"{seed:03}.png", mask, seed, colour)
    return root


@pytest.fixture(scope="session")
def tiny_result(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, drawn_data: Path
) -> Path:
    """The JSON of ``tiny_bundle`` on ``drawn_data``; not to be changed."""
    report = tmp_path_factory.mktemp("result") / "a.html"
    given = [str(tiny_bundle), str(drawn_data), "--report", str(report), "--precision", "fp32"]
    assert main(["run", *given, "--resamples", "100", "--threads", "1"]) == 0
    return report.with_suffix(".json")


@pytest.fixture
def own_data(drawn_data: Path, tmp_path: Path) -> Path:
    """A copy of ``drawn_data`` that a test may change."""
    return Path(shutil.copytree(drawn_data, tmp_path / "drawn"))
