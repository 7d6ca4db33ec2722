"""What is shipped, and what must never be."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

from daemon.demo import SHIPPED
from models import recipe as recipes
from models.pdn import PdnSize
from models.weights import SHIPPED_TEACHER, pdn_shape, read_weights

ROOT = Path(__file__).parents[1]


def test_it_is_never_put_on_an_index() -> None:
    assert "Private :: Do Not Upload" in metadata("effad").get_all("Classifier", [])


def test_the_shipped_teacher_says_how_it_was_made() -> None:
    weights, provenance = read_weights(SHIPPED_TEACHER)
    assert pdn_shape(SHIPPED_TEACHER, weights) == (PdnSize.SMALL, 384)
    assert provenance["steps"] > 0
    assert provenance["held_out_loss"] < 1, "1 is knowing nothing"
    assert SHIPPED_TEACHER.stat().st_size < 6e6


def test_the_shipped_recipe_is_whole() -> None:
    loaded = recipes.load(SHIPPED)
    assert loaded.recipe.bundle == "bundle", "it can be moved"
    assert loaded.calibration.precision == "fp32", "every processor has it"


def test_pins_are_exact_and_without_addresses() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = project["tool"]["uv"]["constraint-dependencies"]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", pin) for pin in pins)
    assert not {"index", "index-url", "extra-index-url", "sources"} & project["tool"]["uv"].keys()
    wanted = project["project"]["dependencies"]
    names = {re.split(r"[<>=]", requirement)[0] for requirement in wanted}
    assert names <= {pin.split("==")[0] for pin in pins}
