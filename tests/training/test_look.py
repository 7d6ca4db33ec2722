"""What was just trained says of frames: within region and mask, and which frames stand out."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.simulator.parts import draw
from models.detector import Detector
from models.geometry import Box, Tiles, Whole
from models.images import read_rgb, to_tensor
from models.quantiles import quantile
from models.scope import Scope
from tests.training.networks import new_detector
from training.checkpoint import Checkpoint
from training.look import look
from training.loop import teacher_statistics, train
from training.reference import PROBABILITIES, training_reference
from training.settings import TrainSettings
from training.suspects import find_suspects
from training.tiles import TrainingTiles


@pytest.fixture(scope="module")
def detectors() -> dict[str, Detector]:
    return {name: new_detector().eval() for name in ("whole", "tiles")}


def frames(folder: Path, random: np.random.Generator, count: int = 2) -> list[Path]:
    paths = []
    for place in range(count):
        paths.append(folder / f"{place}.png")
        cv2.imwrite(str(paths[-1]), random.integers(0, 255, (300, 560, 3), np.uint8))
    return paths


def test_maps_are_those_of_the_tiles(detectors: dict[str, Detector]) -> None:
    rgb = torch.rand(3, 300, 560)
    found = look(detectors, rgb, Scope())
    for name, cutting in (("whole", Whole(300, 560)), ("tiles", Tiles(300, 560))):
        with torch.inference_mode():
            maps = detectors[name](cutting.cut(rgb))
        assert found[name].placement == cutting.placement
        assert found[name].counted.all()
        torch.testing.assert_close(found[name].local, cutting.join(maps.local))


def test_what_region_and_mask_leave_out_is_not_described(
    detectors: dict[str, Detector], tmp_path: Path
) -> None:
    mask = np.zeros((300, 560), bool)
    mask[:, 300:] = True
    scope = Scope(region=Box(x=4, y=20, width=540, height=256), ignored=mask)
    (tmp_path / "a").mkdir()
    paths = frames(tmp_path / "a", np.random.default_rng(0))
    found = training_reference(detectors, paths, scope)
    maps = [look(detectors, to_tensor(read_rgb(path)), scope)["tiles"] for path in paths]
    counted = maps[0].counted
    assert counted[:, : (300 - 4) // 4].all()
    assert not counted[:, (300 - 4) // 4 :].any()
    cells = np.concatenate([m.local[m.counted].numpy() for m in maps])
    assert found.local["tiles"] == tuple(quantile(cells, p) for p in PROBABILITIES)

    def painted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image[:20] = 0
        image[:, 330:] = 255  # a cell sees 16 pixels beyond its own
        return image

    for path in paths:
        cv2.imwrite(str(path), painted(read_rgb(path))[..., ::-1])
    other = training_reference({"tiles": detectors["tiles"]}, paths, scope)
    assert other.local["tiles"] == pytest.approx(found.local["tiles"], rel=1e-4)
    everywhere = training_reference({"tiles": detectors["tiles"]}, paths, Scope())
    assert everywhere.local["tiles"] != pytest.approx(found.local["tiles"], rel=1e-2)


def test_frames_of_any_size_are_described(detectors: dict[str, Detector], tmp_path: Path) -> None:
    for place, size in enumerate((200, 260)):
        cv2.imwrite(str(tmp_path / f"{place}.png"), draw(place, size=size).image)
    paths = sorted(tmp_path.iterdir())
    found = training_reference({"whole": detectors["whole"]}, paths, Scope())
    assert found.frames == 2
    assert found.local["whole"][-1] > 0


def test_a_defective_part_among_the_good_ones_stands_out(tmp_path: Path) -> None:
    """1 of 20 images trained on, with a gross one: the networks are thin, and know nothing."""
    paths = []
    for seed in range(24):
        part = draw(seed, size=256).image
        if seed == 7:
            part[110:140, 60:90] = (255, 0, 255)
        paths.append(tmp_path / f"{seed:02}.png")
        cv2.imwrite(str(paths[-1]), part[..., ::-1])
    learnt, held_out = paths[:20], paths[20:]
    detector = new_detector()
    tiles = TrainingTiles(learnt, Whole(256, 256))
    teacher_statistics(detector, tiles)
    settings = TrainSettings(steps=100, rate=3e-3, rate_ae=3e-3)
    train(
        detector,
        tiles,
        TrainingTiles(held_out, Whole(256, 256)),
        settings,
        Checkpoint(tmp_path / "checkpoint", "key"),
        lambda step, loss: None,
    )
    detectors = {"whole": detector.eval()}
    reference = training_reference(detectors, held_out, Scope())
    assert find_suspects(detectors, learnt, reference, Scope()) == [learnt[7]]
    assert find_suspects(detectors, learnt[:3], reference, Scope()) == []
