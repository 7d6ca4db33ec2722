"""A recipe's parts belong together, or it is not loaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import recipe as recipes
from models.errors import InputError
from models.records import sha256


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


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
    edit(own_recipe / "recipe.json", lambda r: r.update(alpha=0.7))
    said = refused(own_recipe)
    assert said.startswith(f"{own_recipe}/recipe.json: alpha = 0.7, but the threshold was made")
    assert "with 0.5; run effad-calibrate on this recipe again" in said


def test_a_region_changed_by_hand_is_refused(own_recipe: Path) -> None:
    box = {"x": 0, "y": 0, "width": 64, "height": 64}
    edit(own_recipe / "recipe.json", lambda r: r.update(region_of_interest=box))
    said = refused(own_recipe)
    assert "region_of_interest is not the one that the threshold was made with" in said


def test_a_calibration_of_another_bundle_is_refused(own_recipe: Path) -> None:
    edit(own_recipe.parent / "bundle" / "manifest.json", lambda m: m.update(name="another"))
    said = refused(own_recipe)
    assert said.startswith(f"{own_recipe}/calibration-1.json: made for bundle ")
    assert "run effad-calibrate on this recipe again" in said


def test_a_calibration_of_other_scales_is_refused(own_recipe: Path) -> None:
    edit(
        own_recipe / "calibration-1.json",
        lambda c: c["scales"].update(tiles=c["scales"]["whole"]),
    )
    assert "scales ['tiles', 'whole'], but mode whole of the bundle takes ['whole']" in refused(
        own_recipe
    )


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("recipe.json", {"format": 2}, "format 2 is newer than this effad"),
        ("recipe.json", {"colour": 1}, "unknown key 'colour'"),
        ("recipe.json", {"alpha": 1.5}, "alpha = 1.5: Input should be less than or equal to 1"),
        ("recipe.json", {"name": "a nut"}, "name = 'a nut'"),
        ("calibration-1.json", {"format": 9}, "format 9 is newer than this effad"),
        ("calibration-1.json", {"precision": "fp8"}, "precision = 'fp8'"),
        ("calibration-1.json", {"threshold": "high"}, "threshold = 'high'"),
    ],
)
def test_a_wrong_value_is_named(
    own_recipe: Path, file: str, change: dict[str, object], said: str
) -> None:
    edit(own_recipe / file, lambda content: content.update(change))
    found = refused(own_recipe)
    assert found.startswith(f"{own_recipe / file}: ")
    assert said in found


def test_quantiles_out_of_order_are_named(own_recipe: Path) -> None:
    edit(
        own_recipe / "calibration-1.json",
        lambda c: c["scales"]["whole"]["local"].update(q_b=-1000),
    )
    assert "q_b must be above q_a" in refused(own_recipe)


@pytest.mark.parametrize("file", ["recipe.json", "calibration-1.json"])
def test_a_missing_file_is_named(own_recipe: Path, file: str) -> None:
    (own_recipe / file).unlink()
    assert refused(own_recipe) == f"{own_recipe / file}: No such file or directory"


def test_a_changed_weight_is_refused(own_recipe: Path) -> None:
    path = own_recipe.parent / "bundle" / "whole.student.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "the manifest says" in refused(own_recipe)
