"""Training sees the tiles that inspection cuts, whatever is held in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.geometry import Box, Cutting, Tiles, Whole
from models.images import read_rgb, to_tensor
from tests.training.networks import draw_images
from training.examples import HELD_OUT, Examples, held_out_examples
from training.settings import TrainSettings
from training.tiles import TrainingTiles


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_images(tmp_path_factory.mktemp("parts"), 3, 270, 500)


@pytest.mark.parametrize("room", [0, 270 * 500 * 3 * 2, 1 << 30])
@pytest.mark.parametrize("box", [None, Box(x=7, y=20, width=300, height=240)])
@pytest.mark.parametrize("kind", [Whole, Tiles])
def test_tiles_are_those_of_inspection(
    paths: list[Path], kind: type[Whole] | type[Tiles], box: Box | None, room: int
) -> None:
    height, width = (270, 500) if box is None else (box.height, box.width)
    cutting: Cutting = kind(height, width)
    tiles = TrainingTiles(paths, cutting, region=box, room=room)
    for _ in range(2):  # the second time, what is held
        found = list(tiles)
        expected = []
        for path in paths:
            rgb = to_tensor(read_rgb(path))
            if box is not None:
                rgb = rgb[:, box.y : box.y + box.height, box.x : box.x + box.width]
            expected += list(cutting.cut(rgb))
        assert len(found) == len(expected) == len(paths) * cutting.tiles
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)


def test_what_is_held_is_not_read_again(tmp_path: Path) -> None:
    paths = draw_images(tmp_path, 2, 300, 300)
    tiles = TrainingTiles(paths, Tiles(300, 300), room=332 * 332 * 3)  # of one image
    first = tiles.tile(0, 3)
    tiles.tile(1, 0)
    for path in paths:
        path.unlink()
    assert torch.equal(tiles.tile(0, 3), first)
    with pytest.raises(InputError, match=r"1\.png"):
        tiles.tile(1, 0)


def test_whole_takes_images_of_any_size(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = draw_images(tmp_path / "a", 1, 300, 200) + draw_images(tmp_path / "b", 1, 90, 400)
    tiles = TrainingTiles(paths, Whole(300, 200))
    expected = Whole(90, 400).cut(to_tensor(read_rgb(paths[1])))[0]
    assert torch.equal(tiles.tile(1, 0), expected)


def test_only_kept_tiles_are_looked_at_each_image_once_an_epoch(paths: list[Path]) -> None:
    tiles = TrainingTiles(paths, Tiles(270, 500), kept=[1, 4])
    examples = Examples(tiles, TrainSettings(geometric=True))
    keys = [examples[n].key for n in range(60)]
    assert len(list(tiles)) == 6
    for epoch in range(20):
        assert {image for image, _, _ in keys[3 * epoch : 3 * epoch + 3]} == {0, 1, 2}
    assert {tile for _, tile, _ in keys} == {1, 4}
    assert {turn for _, _, turn in keys} == set(range(8))


def test_an_example_does_not_depend_on_who_asked_before(paths: list[Path]) -> None:
    settings = TrainSettings(coeff_cdo=1.0, synthetic_probability=1.0)
    forth = Examples(TrainingTiles(paths, Whole(270, 500)), settings)
    back = Examples(TrainingTiles(paths, Whole(270, 500)), settings)
    made = {n: back[n] for n in reversed(range(8))}
    for n in range(8):
        one, other = forth[n], made[n]
        assert one.key == other.key
        assert torch.equal(one.augmented, other.augmented)
        assert one.touched is not None
        assert other.touched is not None
        assert torch.equal(one.touched, other.touched)
        for a, b in zip(one.anomalous, other.anomalous, strict=True):
            assert torch.equal(a.pixels, b.pixels)


def test_synthetic_anomalies_change_nothing_else(paths: list[Path]) -> None:
    """So that training with L_CDO and without is compared on the same images."""
    tiles = TrainingTiles(paths, Whole(270, 500))
    plain, spoilt = (Examples(tiles, TrainSettings(coeff_cdo=c)) for c in (0, 1))
    for n in range(8):
        assert plain[n].key == spoilt[n].key
        assert torch.equal(plain[n].augmented, spoilt[n].augmented)
        assert plain[n].touched is None
    share = np.mean([spoilt[n].touched is not None for n in range(100)])
    assert share == pytest.approx(0.4, abs=0.1)


def test_threads_make_the_same_examples(paths: list[Path]) -> None:
    """As ahead of an accelerator, but for the pinning of memory, which needs one."""
    settings = TrainSettings(batch=2, coeff_cdo=1.0)
    examples = Examples(TrainingTiles(paths, Whole(270, 500)), settings)
    here = list(examples.batches(3, 7, torch.device("cpu")))
    there = list(examples.ahead(3, 7, pinned=False))
    assert [len(batch) for batch in there] == [2, 2, 2, 2]
    for one, other in zip(here, there, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.key == b.key
            assert torch.equal(a.augmented, b.augmented)
            assert len(a.anomalous) == len(b.anomalous)


def test_held_out_examples_are_clean(paths: list[Path]) -> None:
    tiles = TrainingTiles([*paths] * 4, Tiles(270, 500), kept=[1, 4])
    found = held_out_examples(tiles)
    assert len(found) == HELD_OUT
    assert len({example.key for example in found}) == HELD_OUT
    assert all(image < 0 for image, _, _ in (example.key for example in found))
    for place, example in enumerate(found):
        assert torch.equal(example.clean, tiles.tile(place, (1, 4)[place % 2]))
        assert example.augmented is example.clean
