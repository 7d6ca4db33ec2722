"""A recipe's parts belong together, or it is not loaded."""

from pathlib import Path

import pytest

from models import recipe as recipes
from models.errors import InputError
from models.records import sha256
from tests.editing import edit, edit_calibration, edit_recipe


def refused(recipe: Path) -> str:
    with pytest.raises(InputError) as error:
        recipes.load(recipe)
    said = str(error.value)
    assert "\n" not in said
    return said


def test_a_recipe_is_loaded_with_all_it_names(tiny_recipe: Path, tiny_bundle: Path) -> None:
    found = recipes.load(tiny_recipe)
    assert found.path == tiny_recipe
    assert found.recipe.bundle == "../bundle"
    assert found.bundle.sha256 == found.calibration.bundle == sha256(tiny_bundle / "manifest.json")
    assert found.calibration_sha256 == sha256(tiny_recipe / "calibration-1.json")


def test_a_recipe_moves_with_its_bundle(own_recipe: Path) -> None:
    recipes.load(own_recipe)
    moved = own_recipe.parent.rename(own_recipe.parents[1] / "elsewhere")
    recipes.load(moved / own_recipe.name)


def test_alpha_changed_by_hand_is_refused(own_recipe: Path) -> None:
    edit_recipe(own_recipe, alpha=0.7)
    said = refused(own_recipe)
    assert said.startswith(f"{own_recipe}/recipe-1.json: alpha = 0.7, but the threshold was made")
    assert "with 0.5; run effad-calibrate on this recipe again" in said


def test_a_region_changed_by_hand_is_refused(own_recipe: Path) -> None:
    box = {"x": 0, "y": 0, "width": 64, "height": 64}
    edit_recipe(own_recipe, region_of_interest=box)
    said = refused(own_recipe)
    assert "region_of_interest is not the one that the threshold was made with" in said


def test_a_calibration_of_another_bundle_is_refused(own_recipe: Path) -> None:
    edit(own_recipe.parent / "bundle" / "manifest.json", lambda m: m.update(name="another"))
    said = refused(own_recipe)
    assert said.startswith(f"{own_recipe}/calibration-1.json: made for bundle ")
    assert "run effad-calibrate on this recipe again" in said


def test_a_calibration_of_other_scales_is_refused(own_recipe: Path) -> None:
    scales = recipes.load(own_recipe).calibration.model_dump()["scales"]
    edit_calibration(own_recipe, scales={**scales, "tiles": scales["whole"]})
    assert "scales ['tiles', 'whole'], but mode whole of the bundle takes ['whole']" in refused(
        own_recipe
    )


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("recipe-1.json", {"format": 3}, "format 3 is newer than this effad"),
        ("recipe-1.json", {"colour": 1}, "unknown key 'colour'"),
        ("recipe-1.json", {"alpha": 1.5}, "alpha = 1.5: Input should be less than or equal to 1"),
        ("recipe-1.json", {"name": "a nut"}, "name = 'a nut'"),
        ("recipe-1.json", {"id": 0}, "id = 0: Input should be greater than or equal to 1"),
        ("recipe-1.json", {"id": True}, "id = True"),
        ("recipe-1.json", {"version": 2}, "says that it is version 2; a file was renamed"),
        ("recipe-1.json", {"calibration": "../a.json"}, "calibration = '../a.json'"),
        ("recipe-1.json", {"regions": [[[0, 0], [1, 1]]]}, "regions.0"),
        (
            "recipe-1.json",
            {"minimum_region_area": 9, "minimum_region_area_mm2": 1, "pixels_per_mm": 2},
            "minimum_region_area_mm2 are both set",
        ),
        ("recipe-1.json", {"minimum_region_area_mm2": 1}, "takes pixels_per_mm; set that too"),
        (
            "recipe-1.json",
            {"camera": {"*": {"features": {"TriggerMode": "Off"}}}},
            "feature TriggerMode is not a recipe's to set",
        ),
        (
            "recipe-1.json",
            {"camera": {"*": {"features": {"Gain": 3.0}}}},
            "feature Gain is set by gain_db",
        ),
        ("active.json", {"version": "one"}, "version = 'one'"),
        ("calibration-1.json", {"format": 9}, "format 9 is newer than this effad"),
        ("calibration-1.json", {"precision": "fp8"}, "precision = 'fp8'"),
        ("calibration-1.json", {"threshold": "high"}, "threshold = 'high'"),
    ],
)
def test_a_wrong_value_is_named(
    own_recipe: Path, file: str, change: dict[str, object], said: str
) -> None:
    edit(own_recipe / file, lambda content: content.update(change))
    if file == "calibration-1.json":
        edit_calibration(own_recipe)  # its hash
    found = refused(own_recipe)
    assert found.startswith(f"{own_recipe / file}: ")
    assert said in found


def test_quantiles_out_of_order_are_named(own_recipe: Path) -> None:
    scales = recipes.load(own_recipe).calibration.model_dump()["scales"]
    scales["whole"]["local"]["q_b"] = -1000
    edit_calibration(own_recipe, scales=scales)
    assert "q_b must be above q_a" in refused(own_recipe)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("recipe-1.json", "{}/recipe-1.json: there is no version 1; there are: none"),
        ("calibration-1.json", "{}/calibration-1.json: missing; copy the whole recipe again"),
        ("active.json", "{}: none of its versions (1) is active; run effad-recipe activate {} "),
        ("../bundle", "{}/recipe-1.json: its bundle {}/../bundle is not there"),
    ],
)
def test_what_is_missing_is_named(own_recipe: Path, file: str, said: str) -> None:
    (own_recipe / file).rename(own_recipe.parent / "away")
    assert refused(own_recipe).startswith(said.replace("{}", str(own_recipe)))


def test_a_changed_calibration_is_refused(own_recipe: Path) -> None:
    edit(own_recipe / "calibration-1.json", lambda c: c.update(threshold=9.0))
    said = refused(own_recipe)
    assert said.startswith(f"{own_recipe}/calibration-1.json: not the file that version 1")


def test_a_changed_weight_is_refused(own_recipe: Path) -> None:
    path = own_recipe.parent / "bundle" / "whole.student.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "the manifest says" in refused(own_recipe)
