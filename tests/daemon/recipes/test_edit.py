"""A changed recipe is a new version, active only if its threshold is still valid."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from daemon.recipes import labelme
from daemon.recipes.picture import draw
from models import recipe as recipes
from models import recipe_store as store
from models.errors import InputError
from models.images import read_rgb
from models.polygons import inside
from models.recipe import Recipe
from tests.conftest import SIZE
from tests.daemon.recipes.conftest import Recipes

SQUARE = [[20, 30], [100, 30], [100, 90], [20, 90]]


def drawing(path: Path, *shapes: dict[str, Any], size: int = SIZE) -> Path:
    """Write what LabelMe would."""
    given = [{"flags": {}, "group_id": None, **shape} for shape in shapes]
    head = {"version": "5.5.0", "imagePath": "a.png", "imageData": None}
    path.write_text(json.dumps({**head, "imageWidth": size, "imageHeight": size, "shapes": given}))
    return path


def shape(label: str, kind: str, points: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points}


def test_every_shape_is_read_as_it_was_drawn(tmp_path: Path) -> None:
    path = drawing(
        tmp_path / "a.json",
        shape("inspect", "polygon", SQUARE),
        shape("ignore", "rectangle", [[40, 60], [10, 50]]),
        shape("ignore", "circle", [[64, 64], [64, 94]]),
    )
    inspect, (box, circle) = labelme.read(path, SIZE, SIZE)
    assert inspect == (tuple(map(tuple, SQUARE)),)
    assert inside([box], SIZE, SIZE).sum() == 30 * 10
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    distance = np.hypot(rows - 64, columns - 64)
    found = inside([circle], SIZE, SIZE)
    assert found[distance < 29.9].all()
    assert not found[distance > 30].any()


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (shape("hole", "polygon", SQUARE), "shapes.0.label = 'hole'"),
        (shape("ignore", "line", SQUARE), "shapes.0.shape_type = 'line'"),
        (shape("ignore", "polygon", SQUARE[:2]), "shape 1: a polygon of 2 points, not 3 or more"),
        (shape("ignore", "rectangle", SQUARE[:3]), "a rectangle of 3 points, not 2 or 4"),
        (shape("ignore", "circle", SQUARE[:1]), "a circle of 1 points, not 2"),
        (shape("ignore", "circle", [[1, 1], [1, 1]]), "a circle of radius 0.0"),
    ],
)
def test_other_drawings_are_refused(one: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        labelme.read(drawing(tmp_path / "a.json", one), SIZE, SIZE)
    assert str(error.value).startswith(f"{tmp_path}/a.json: ")
    assert said in str(error.value)


def test_a_drawing_on_another_frame_is_refused(tmp_path: Path) -> None:
    path = drawing(tmp_path / "a.json", shape("ignore", "polygon", SQUARE), size=64)
    with pytest.raises(InputError, match="drawn on an image of 64 x 64 pixels, and the recipe's"):
        labelme.read(path, SIZE, SIZE)
    path.write_text("{")
    with pytest.raises(InputError, match="Invalid JSON"):
        labelme.read(path, SIZE, SIZE)


def test_new_polygons_take_a_new_threshold(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    path = drawing(tmp_path / "a.json", shape("inspect", "polygon", SQUARE))
    status, out, _ = effad_recipe("edit", nut, "--labelme", path, "--activate")
    assert status == 1
    assert "version 2 written from version 1, not active" in out
    assert "regions, ignored and ignore_mask is not the one that the threshold was made with" in out
    assert f"next: effad-calibrate run {nut} --from-version 2 --images FOLDER" in out
    assert store.read(nut, 2).regions == (tuple(map(tuple, SQUARE)),)
    assert store.active(nut) == 1


def test_polygons_that_change_nothing_keep_the_threshold(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    """No mask, and a mask of nothing, are told apart; another drawing of one area is not."""
    one = drawing(tmp_path / "a.json", shape("ignore", "rectangle", [[0, 0], [8, 8]]))
    two = drawing(
        tmp_path / "b.json", shape("ignore", "polygon", [[0, 0], [8.2, 0], [8.2, 8], [0, 8]])
    )
    effad_recipe("edit", nut, "--labelme", one)
    effad_recipe("edit", nut, "--labelme", two, "--version", 2)
    masks = [recipes.mask_of(store.read(nut, n), None, SIZE, SIZE) for n in (2, 3)]
    assert masks[0] is not None
    assert masks[1] is not None
    assert masks[0].sum() == 64
    assert np.array_equal(masks[0], masks[1])


@pytest.mark.parametrize(
    "setting",
    [
        "minimum_region_area=20",
        "deadline_ms=900",
        "view_fusion=mean",
        "id=9",
        "name=other",
        "camera.*.exposure_us=800",
        "pixels_per_mm=4",
    ],
)
def test_what_does_not_decide_the_score_keeps_the_threshold(
    nut: Path, effad_recipe: Recipes, setting: str
) -> None:
    assert effad_recipe("edit", nut, "--set", setting, "--activate").status == 0
    assert recipes.load(nut).recipe.version == 2


@pytest.mark.parametrize("setting", ["alpha=0.3", "region_of_interest=8,8,64,64"])
def test_what_decides_the_score_takes_a_new_threshold(
    nut: Path, effad_recipe: Recipes, setting: str
) -> None:
    assert effad_recipe("edit", nut, "--set", setting, "--activate").status == 1
    assert store.active(nut) == 1


def test_an_empty_value_is_the_default(nut: Path, effad_recipe: Recipes) -> None:
    effad_recipe("edit", nut, "--set", "deadline_ms=900", "--activate")
    effad_recipe("edit", nut, "--set", "deadline_ms=", "--activate")
    assert store.read(nut).deadline_ms == Recipe.model_fields["deadline_ms"].default


def test_a_mask_is_copied_and_one_that_leaves_nothing_refused(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:, :40] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    assert effad_recipe("edit", nut, "--ignore", tmp_path / "mask.png").status == 0
    assert (nut / "ignore-2.png").read_bytes() == (tmp_path / "mask.png").read_bytes()
    rest = drawing(tmp_path / "a.json", shape("inspect", "rectangle", [[0, 0], [40, 128]]))
    status, _, err = effad_recipe("edit", nut, "--version", 2, "--labelme", rest)
    assert status == 2
    assert "leave nothing of the frame" in err
    assert store.versions(nut) == (1, 2)


def test_the_picture_shows_what_is_inspected(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    drawn = drawing(tmp_path / "a.json", shape("inspect", "polygon", SQUARE))
    out = tmp_path / "out.png"
    effad_recipe("edit", nut, "--labelme", drawn, "--picture", out)
    picture = read_rgb(out)
    frame = recipes.load(nut, 1).bundle
    scale = picture.shape[1] // SIZE
    rgb = (frame.reference.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    middle = np.s_[40 * scale : 80 * scale, 30 * scale : 90 * scale]
    large = rgb.repeat(scale, axis=0).repeat(scale, axis=1)
    assert np.array_equal(picture[middle], large[middle]), "inspected: as the camera sees it"
    outside = picture[: 20 * scale].astype(int)
    assert (outside[..., 1] <= large[: 20 * scale, :, 1] // 3).all(), "elsewhere dark"
    assert effad_recipe("edit", nut, "--picture", out).status == 0, "and without a change"
    assert store.versions(nut) == (1, 2)
    assert effad_recipe("edit", nut, "--image", out).status == 2


def test_an_outline_lies_on_the_borders_of_its_pixels() -> None:
    frame = np.full((100, 100, 3), 128, np.uint8)
    fields = {"name": "a", "version": 1, "bundle": "b", "calibration": "calibration-1.json"}
    recipe = Recipe.model_validate({**fields, "regions": [SQUARE]})
    picture = draw(frame, recipe, ~inside(recipe.regions, 100, 100))[:900]
    green = (picture[..., 1] > 200) & (picture[..., 0] < 100)
    rows, columns = np.nonzero(green)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(60 * 9, abs=1)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(60 * 9, abs=1)
    assert columns.max() - columns.min() == pytest.approx(80 * 9, abs=4)
