"""``effad-calibrate run`` decides what is looked at, and a recipe holds to it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.acceptance.answer import Answer
from daemon.simulator.parts import draw
from models import recipe as recipes
from models import recipe_store as store
from models.engine import Engine
from models.errors import InputError
from models.mode import Mode
from models.pixel_format import PixelFormat
from models.polygons import mask_sha256
from models.records import sha256
from tests.calibration.command import calibrate
from tests.calibration.shown_frames import answering
from tests.conftest import SIZE
from tests.editing import edit, edit_calibration, edit_recipe
from tests.models.thin import write_bundle


@pytest.fixture(scope="module", autouse=True)
def accepted() -> Iterator[None]:
    """Spare these tests the looks at synthetic defects (``test_run``)."""
    with pytest.MonkeyPatch.context() as patched:
        answering(patched, Answer.RECALIBRATED)
        yield


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of both scales for frames of 128 x 128; not to be changed."""
    path = tmp_path_factory.mktemp("both") / "bundle"
    write_bundle(path, draw(9, size=SIZE).image)
    return path


@pytest.fixture(scope="module")
def whole_recipe(tmp_path_factory: pytest.TempPathFactory, good_parts: Path) -> Path:
    """A recipe beside a bundle of the scale ``whole`` alone; not to be changed."""
    path = tmp_path_factory.mktemp("whole") / "bundle"
    write_bundle(path, draw(9, size=SIZE).image, ("whole",))
    recipe = path.with_name("recipe")
    assert calibrate(recipe, good_parts, "--bundle", path) == 0
    return recipe


@pytest.fixture
def own_recipe(whole_recipe: Path, tmp_path: Path) -> Path:
    """A copy of ``whole_recipe`` and its bundle that a test may change."""
    line = tmp_path / "line"
    shutil.copytree(whole_recipe.parent, line)
    return line / whole_recipe.name


def draw_mask(path: Path) -> Path:
    """White over the left quarter of a frame of 128 x 128."""
    pixels = np.zeros((SIZE, SIZE), np.uint8)
    pixels[:, :32] = 255
    cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return draw_mask(tmp_path / "drawn by hand.png")


@pytest.fixture(scope="module")
def adaptive_line(tmp_path_factory: pytest.TempPathFactory, both: Path, good_parts: Path) -> Path:
    """A folder with a bundle of both scales, and an adaptive recipe with a mask."""
    line = tmp_path_factory.mktemp("adaptive")
    bundle = shutil.copytree(both, line / "bundle")
    words = ["--bundle", bundle, "--mode", "adaptive", "--ignore", draw_mask(line / "mask.png")]
    assert calibrate(line / "recipe", good_parts, *words) == 0
    return line


def score(recipe: Path, frame: NDArray[np.uint8]) -> float:
    loaded = recipes.load(recipe)
    precision = loaded.calibration.precision
    engine = Engine(loaded.bundle, precision=precision, scope=loaded.scope)
    assert engine.mode is loaded.mode
    assert engine.fingerprint == loaded.calibration.engine
    return loaded.fuse(engine.look(frame, PixelFormat.RGB8)).score


def test_a_bundle_of_both_scales_runs_in_every_mode(
    both: Path, good_parts: Path, tmp_path: Path, passing: NDArray[np.uint8]
) -> None:
    found = {}
    for mode in Mode:
        recipe = tmp_path / mode
        assert calibrate(recipe, good_parts, "--bundle", both, "--mode", mode) == 0
        loaded = recipes.load(recipe)
        assert loaded.recipe.mode is loaded.calibration.mode is loaded.mode is mode
        assert (loaded.calibration.ask is not None) == (mode is Mode.ADAPTIVE)
        found[mode] = score(recipe, passing)
        assert found[mode] in loaded.calibration.scores
    assert len({found[mode] for mode in (Mode.WHOLE, Mode.TILES, Mode.PYRAMID)}) == 3


def test_without_a_mode_the_bundle_decides(both: Path, good_parts: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe"
    assert calibrate(recipe, good_parts, "--bundle", both) == 0
    loaded = recipes.load(recipe)
    assert loaded.recipe.mode is None
    assert loaded.mode is loaded.calibration.mode is Mode.PYRAMID


def test_what_was_chosen_stays_chosen(both: Path, good_parts: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe"
    words = ["--mode", "adaptive", "--tile-share", 0.3, "--tile-stride", 112]
    words += ["--region", 8, 4, 100, 120]
    assert calibrate(recipe, good_parts, "--bundle", both, *words) == 0
    assert calibrate(recipe, good_parts) == 0
    loaded = recipes.load(recipe)
    assert loaded.recipe.version == 2
    assert loaded.mode is Mode.ADAPTIVE
    ask = loaded.calibration.ask
    assert ask is not None
    assert ask.share == loaded.recipe.tile_share == 0.3
    assert loaded.calibration.tile_stride == loaded.recipe.tile_stride == 112
    box = loaded.recipe.region_of_interest
    assert box is not None
    assert (box.x, box.y, box.width, box.height) == (8, 4, 100, 120)
    assert loaded.scope.region == loaded.calibration.region_of_interest == box


def test_the_ignore_mask_travels_with_the_recipe(
    own_recipe: Path, good_parts: Path, mask: Path, passing: NDArray[np.uint8]
) -> None:
    assert calibrate(own_recipe, good_parts, "--ignore", mask) == 0
    copied = own_recipe / "ignore-2.png"
    assert copied.read_bytes() == mask.read_bytes()
    mask.unlink()
    loaded = recipes.load(own_recipe)
    assert loaded.recipe.ignore_mask == "ignore-2.png"
    assert loaded.calibration.ignore_mask == mask_sha256(loaded.ignored)
    assert loaded.ignored is not None
    assert loaded.ignored[:, :32].all()
    assert not loaded.ignored[:, 32:].any()
    assert score(own_recipe, passing) in loaded.calibration.scores
    assert calibrate(own_recipe, good_parts) == 0
    again = recipes.load(own_recipe)
    assert again.recipe.ignore_mask == "ignore-2.png"
    assert again.calibration.scores == loaded.calibration.scores


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mode", "pyramid"], "mode pyramid takes the scale tiles, and the bundle has whole;"),
        (["--tile-share", "1"], "tile_share = 1.0: Input should be less than 1"),
        (["--region", "0", "0", "10", "64"], "region_of_interest.width = 10: Input should be gr"),
        (["--ignore", "/none.png"], "/none.png: No such file"),
    ],
)
def test_looks_that_cannot_be_are_refused(
    own_recipe: Path,
    good_parts: Path,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert calibrate(own_recipe, good_parts, *words) == 2
    found = capsys.readouterr().err
    assert said in found
    assert found.count("\n") == 1
    assert not (own_recipe / "calibration-2.json").exists()


def test_a_mask_of_another_size_is_refused(
    own_recipe: Path, good_parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), np.zeros((64, 128), np.uint8))
    assert calibrate(own_recipe, good_parts, "--ignore", path) == 2
    assert (
        "128 x 64 pixels; an ignore mask must be as large as the frame" in capsys.readouterr().err
    )
    assert not (own_recipe / "ignore-2.png").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "whole"),
        ("tile_share", 0.2),
        ("tile_stride", 56),
        ("ignored", [[[0, 0], [64, 0], [64, 64]]]),
        ("regions", [[[0, 0], [100, 0], [100, 100]]]),
    ],
)
def test_what_the_threshold_was_not_made_with_is_refused(
    adaptive_line: Path, tmp_path: Path, key: str, value: object
) -> None:
    recipe = shutil.copytree(adaptive_line, tmp_path / "line") / "recipe"
    recipes.load(recipe)
    edit_recipe(recipe, **{key: value})
    with pytest.raises(InputError) as refused:
        recipes.load(recipe)
    areas = {"regions", "ignored"}
    told = "the area of regions, ignored and ignore_mask" if key in areas else key
    assert str(refused.value) == (
        f"{recipe}/recipe-1.json: {told} is not the one that the threshold was made with;"
        " run effad-calibrate on this recipe again"
    )


def test_a_mask_that_was_changed_or_lost_is_refused(
    own_recipe: Path, good_parts: Path, mask: Path
) -> None:
    assert calibrate(own_recipe, good_parts, "--ignore", mask) == 0
    copied = own_recipe / "ignore-2.png"
    cv2.imwrite(str(copied), np.zeros((128, 128), np.uint8))
    with pytest.raises(InputError, match=r"ignore-2\.png: not the file that version 2"):
        recipes.load(own_recipe)
    made_with = store.read(own_recipe).files
    edit_recipe(own_recipe, files={**made_with, copied.name: sha256(copied)})
    with pytest.raises(InputError, match="ignore_mask is not the one that the threshold"):
        recipes.load(own_recipe)
    copied.unlink()
    with pytest.raises(InputError, match=r"ignore-2\.png: missing; copy the whole recipe again"):
        recipes.load(own_recipe)


def test_records_from_before_there_were_modes_still_load(own_recipe: Path) -> None:
    def old(content: dict[str, Any]) -> None:
        for key in ("mode", "ignore_mask", "tile_share", "tile_stride", "ask"):
            content.pop(key, None)

    edit(own_recipe / "recipe-1.json", old)
    edit(own_recipe / "calibration-1.json", old)
    edit_calibration(own_recipe)  # its hash
    loaded = recipes.load(own_recipe)
    assert loaded.mode is Mode.WHOLE
    assert loaded.scope.asks is None
