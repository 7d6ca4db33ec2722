"""``effad-calibrate``: a recipe's next version from good parts, or one line that says why not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models import bundle as bundles
from models import recipe as recipes
from models.engine import Engine
from models.images import brightness, read_rgb, to_tensor
from models.pixel_format import PixelFormat
from models.quantiles import quantile
from models.records import sha256
from models.threshold import threshold
from tests.calibration.command import calibrate
from training.data.good import GoodParts


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refused(capsys: pytest.CaptureFixture[str], recipe: Path, images: Path, *more: object) -> str:
    """Calibrate, which must end in one line and status 2; give what the line says."""
    assert calibrate(recipe, images, *more) == 2
    said = capsys.readouterr().err
    assert said.startswith("effad-calibrate: error: ")
    assert said.count("\n") == 1
    return said.removeprefix("effad-calibrate: error: ")[:-1]


def score(recipe: recipes.LoadedRecipe, frame: NDArray[np.uint8]) -> float:
    calibration = recipe.calibration
    engine = Engine(
        recipe.bundle,
        device=calibration.device,
        precision=calibration.precision,
        scope=recipe.scope,
    )
    assert engine.fingerprint == calibration.engine
    return recipe.fuse(engine.look(frame, PixelFormat.RGB8)).score


def test_a_recipe_is_written_that_the_formulas_give(tiny_recipe: Path, good_parts: Path) -> None:
    loaded = recipes.load(tiny_recipe)
    found = loaded.calibration
    assert (loaded.recipe.version, loaded.recipe.name) == (1, "recipe")
    held_out = GoodParts.split(good_parts, 0.5, seed=0).held_out
    frames = [to_tensor(read_rgb(path)) for path in held_out]
    engine = Engine(loaded.bundle, precision=found.precision)
    maps = [engine.look_at(frame)["whole"] for frame in frames]
    local = torch.stack([m.local for m in maps])
    globally = torch.stack([m.globally for m in maps])
    ranges = found.scales["whole"]
    assert ranges.local.q_a == quantile(local, 0.9)
    assert ranges.local.q_b == quantile(local, 0.995)
    assert ranges.globally.q_a == quantile(globally, 0.9)
    assert ranges.globally.q_b == quantile(globally, 0.995)
    fused = 0.5 * ranges.local.normalize(local) + 0.5 * ranges.globally.normalize(globally)
    assert found.scores == pytest.approx(fused.amax(dim=(1, 2)).tolist(), rel=1e-6)
    assert found.threshold == threshold(found.scores, 1 / 3)
    levels = [quantile(one, 0.999) for one in fused]
    assert found.pixel_threshold == pytest.approx(threshold(levels, 1 / 3), rel=1e-6)
    assert found.false_reject_rate == pytest.approx(1 / 3)
    assert found.parts == 2
    assert found.alpha == loaded.recipe.alpha == 0.5
    assert found.engine == engine.fingerprint
    assert found.brightness == pytest.approx(np.mean([brightness(f) for f in frames]))


def test_what_was_shown_passes_and_a_gross_defect_fails(
    tiny_recipe: Path, passing: NDArray[np.uint8], failing: NDArray[np.uint8]
) -> None:
    loaded = recipes.load(tiny_recipe)
    limit = loaded.calibration.threshold
    assert score(loaded, passing) in loaded.calibration.scores
    assert score(loaded, passing) < limit
    assert score(loaded, failing) > 2 * limit


def test_versions_count_up_and_old_calibrations_stay(
    own_recipe: Path, good_parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--alpha", 0.25, "--deadline-ms", 700, "--target-false-reject", 0.67]
    edit(own_recipe / "recipe-1.json", lambda r: r.update(minimum_region_area=9.0))
    assert calibrate(own_recipe, good_parts, *given) == 0
    said = capsys.readouterr().out
    assert "2 images were trained on and are left out" in said
    assert "version 2" in said
    assert "2 parts support 33 %" in said
    assert (own_recipe / "calibration-1.json").exists()
    loaded = recipes.load(own_recipe)
    assert loaded.recipe.version == 2
    assert loaded.recipe.calibration == "calibration-2.json"
    assert loaded.recipe.alpha == loaded.calibration.alpha == 0.25
    assert loaded.recipe.deadline_ms == 700
    assert loaded.recipe.minimum_region_area == 9
    assert loaded.recipe.bundle == "../bundle"
    scores = loaded.calibration.scores
    assert loaded.calibration.threshold == threshold(scores, 0.67)
    assert (own_recipe / "recipe-1.json").exists()
    assert min(scores) < loaded.calibration.threshold <= max(scores)


def test_a_region_written_by_hand_is_taken_up(own_recipe: Path, good_parts: Path) -> None:
    box = {"x": 10, "y": 20, "width": 64, "height": 80}
    edit(own_recipe / "recipe-1.json", lambda r: r.update(region_of_interest=box))
    assert calibrate(own_recipe, good_parts) == 0
    loaded = recipes.load(own_recipe)
    region = loaded.recipe.region_of_interest
    assert region is not None
    assert region == loaded.calibration.region_of_interest
    assert region.model_dump() == box
    frame = read_rgb(GoodParts.split(good_parts, 0.5, seed=0).held_out[1])
    assert score(loaded, frame) == loaded.calibration.scores[1]


def test_trained_images_are_left_out_under_any_name(
    own_recipe: Path, good_parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "lot 7"
    images.mkdir()
    for place, path in enumerate(GoodParts.split(good_parts, 0.5, seed=0).train):
        shutil.copy(path, images / f"fresh{place}.png")
    said = refused(capsys, own_recipe, images)
    assert said.startswith(f"{images}: 0 of 2 images were not trained on; show good parts")
    cv2.imwrite(str(images / "one.png"), np.zeros((128, 128, 3), np.uint8))
    said = refused(capsys, own_recipe, images)
    assert said.startswith(f"{images}: 1 of 3 images were not trained on")


def test_a_rate_that_the_parts_cannot_support_is_refused_before_measuring(
    own_recipe: Path,
    good_parts: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refused(capsys, own_recipe, good_parts, "--target-false-reject", 0.01)
    assert said == (
        "2 good parts support a false reject rate of 33.33% at best; 1.00% takes 99 parts"
    )
    assert not (own_recipe / "calibration-2.json").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--target-false-reject", 0, "false reject rate 0.0: must be above 0 and below 1"),
        ("--target-false-reject", 1.5, "false reject rate 1.5: must be above 0 and below 1"),
        ("--alpha", 2, "alpha = 2.0: Input should be less than or equal to 1"),
        ("--alpha", "nan", "alpha = nan"),
        ("--deadline-ms", 0, "deadline_ms = 0: Input should be greater than or equal to 1"),
        ("--threads", 0, "threads = 0: must be 1 or more"),
        ("--bundle", "/none", "/none/manifest.json: No such file"),
    ],
)
def test_options_that_cannot_be_are_refused(
    option: str,
    value: object,
    said: str,
    own_recipe: Path,
    good_parts: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said in refused(capsys, own_recipe, good_parts, option, value)
    assert json.loads((own_recipe / "recipe-1.json").read_text())["version"] == 1


def test_frames_of_another_size_are_refused(
    own_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for place in range(2):
        cv2.imwrite(str(images / f"{place}.png"), np.full((64, 96, 3), place, np.uint8))
    said = refused(capsys, own_recipe, images)
    assert said == f"{images}/0.png: 96 x 64 pixels, but the bundle inspects 128 x 128"


def test_an_unreadable_frame_is_refused(
    own_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for place in range(2):
        (images / f"{place}.png").write_bytes(bytes([place]))
    said = refused(capsys, own_recipe, images)
    assert said == f"{images}/0.png: not a readable image; remove it or save it again"


def test_folders_without_images_are_refused(
    own_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, own_recipe, tmp_path / "none").endswith("name a folder of images")
    (tmp_path / "empty").mkdir()
    assert "no images here" in refused(capsys, own_recipe, tmp_path / "empty")


def test_a_new_recipe_needs_its_bundle(
    tiny_bundle: Path, good_parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "new"
    said = refused(capsys, recipe, good_parts)
    assert said == f"{recipe}: no recipe here yet; name its bundle with --bundle FOLDER"
    said = refused(capsys, tmp_path / "a nut", good_parts, "--bundle", tiny_bundle)
    assert "name = 'a nut'" in said
    assert list(tmp_path.iterdir()) == []


def test_a_region_that_leaves_the_frame_is_refused(
    own_recipe: Path, good_parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = {"x": 100, "y": 0, "width": 64, "height": 64}
    edit(own_recipe / "recipe-1.json", lambda r: r.update(region_of_interest=box))
    assert "leaves the frame of 128 x 128 pixels" in refused(capsys, own_recipe, good_parts)


def test_a_bundle_that_computes_something_else_is_refused(
    own_recipe: Path, good_parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reference maps of another processor, say, or another frame."""
    bundle = own_recipe.parent / "bundle"
    entry = bundles.Manifest.read(bundle / "manifest.json").reference.frame
    cv2.imwrite(str(bundle / entry.name), np.full((128, 128, 3), 200, np.uint8))
    digest = sha256(bundle / entry.name)
    edit(bundle / "manifest.json", lambda m: m["reference"]["frame"].update(sha256=digest))
    assert "differs from the bundle's reference maps" in refused(capsys, own_recipe, good_parts)
    assert not (own_recipe / "calibration-2.json").exists()
