"""Separation at training time: each mode, whatever the order of the frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from daemon.simulator.parts import draw
from models.calibration import NormalRange, ScaleRange
from models.scope import Scope
from tests.models.thin import blob_detector, thin_detector
from training.separation import separation

SIZE = 300  # pixels: two tiles along a side


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("held_out")
    found = [folder / f"{seed}.png" for seed in range(5)]
    for seed, path in enumerate(found):
        cv2.imwrite(str(path), draw(seed, size=SIZE).image[..., ::-1])
    return found


RANGE = NormalRange(q_a=0.0, q_b=1.0)
RANGES = {name: ScaleRange(local=RANGE, globally=RANGE) for name in ("whole", "tiles")}


def test_each_mode_that_the_scales_allow_has_one(paths: list[Path]) -> None:
    detectors = {"whole": thin_detector(1), "tiles": thin_detector(2)}
    found = separation(detectors, paths, Scope(), RANGES, 0.5)
    assert set(found) == {"whole", "tiles", "pyramid"}
    assert {one.frames for one in found.values()} == {5}
    assert separation(detectors, paths[::-1], Scope(), RANGES, 0.5) == found
    alone = separation({"whole": detectors["whole"]}, paths, Scope(), RANGES, 0.5)
    assert alone == {"whole": found["whole"]}


def test_what_sees_light_finds_defects_in_dark_frames(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{n}.png" for n in range(6)]
    for path in paths:
        cv2.imwrite(str(path), random.integers(0, 12, (SIZE, SIZE, 3), dtype=np.uint8))
    detectors = {"whole": blob_detector()}
    noise = separation(detectors, paths, Scope(), RANGES, 0.5)["whole"]
    assert noise.auroc > 0.6
    assert noise.found > 0.3
