"""Verdict and regions from hand-made maps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from daemon.inspection.judge import MOST_REGIONS, judge, regions
from daemon.messages import Kind
from models import recipe as recipes
from models.calibration import AnomalyMap
from models.geometry import Placement
from models.recipe import LoadedRecipe
from tests.editing import edit_recipe

PLACEMENT = Placement(first=(2.0, 2.0), step=(4.0, 4.0), cells=(10, 12))


def anomaly(*cells: tuple[int, int, float]) -> AnomalyMap:
    values = torch.zeros(10, 12)
    for row, column, value in cells:
        values[row, column] = value
    return AnomalyMap(values, PLACEMENT)


def test_regions_are_in_frame_pixels() -> None:
    found = regions(anomaly((2, 3, 0.5), (2, 4, 0.9), (3, 5, 0.6), (8, 0, 0.7)), 0.5, 0)
    first, second = found
    assert (first.x, first.y, first.width, first.height) == (12, 8, 12, 8)
    assert first.area == 3 * 16
    assert first.peak == pytest.approx(0.9)
    assert first.peak_at == (2 + 4 * 4, 2 + 4 * 2)
    assert first.centroid == pytest.approx((2 + 4 * 4, 2 + 4 * (2 + 2 + 3) / 3))
    assert (second.x, second.y, second.width, second.height) == (0, 32, 4, 4)


def test_diagonal_cells_are_one_region_and_small_ones_go() -> None:
    cells = anomaly((1, 1, 1.0), (2, 2, 1.0), (6, 6, 1.0))
    assert len(regions(cells, 0.5, 0)) == 2
    assert len(regions(cells, 0.5, 17)) == 1


def test_only_the_strongest_are_named() -> None:
    values = torch.zeros(40, 40)
    values[::2, ::2] = torch.arange(400).reshape(20, 20) / 400 + 1
    found = regions(AnomalyMap(values, Placement((0, 0), (4, 4), (40, 40))), 0.5, 0)
    assert len(found) == MOST_REGIONS
    assert [r.peak for r in found] == sorted((r.peak for r in found), reverse=True)
    assert found[0].peak == pytest.approx(float(values.max()))


def loaded(path: Path, **changes: float) -> LoadedRecipe:
    edit_recipe(path, **changes)
    return recipes.load(path)


def test_at_the_threshold_is_fail(own_recipe: Path) -> None:
    recipe = loaded(own_recipe)
    limit = recipe.calibration.threshold
    below = float(np.nextafter(np.float32(limit), np.float32(0)))
    assert judge(anomaly((1, 1, limit)), recipe)[0] is Kind.FAIL
    assert judge(anomaly((1, 1, below)), recipe)[0] is Kind.PASS


def test_a_minimum_area_spares_specks(own_recipe: Path) -> None:
    recipe = loaded(own_recipe, minimum_region_area=20.0)
    high = recipe.calibration.threshold + 1
    assert judge(anomaly((1, 1, high)), recipe)[0] is Kind.PASS
    assert judge(anomaly((1, 1, high), (1, 2, high)), recipe)[0] is Kind.FAIL


def test_a_large_area_below_the_threshold_excuses_no_speck(own_recipe: Path) -> None:
    """The pixel threshold is below that of the score: a region must reach both."""
    recipe = loaded(own_recipe, minimum_region_area=20.0)
    limit, pixels = recipe.calibration.threshold, recipe.calibration.pixel_threshold
    assert pixels < limit, "or this test shows nothing"
    middle = (pixels + limit) / 2
    pale = ((5, 5, middle), (5, 6, middle), (6, 5, middle))
    assert judge(anomaly(*pale), recipe) == (Kind.PASS, ()), "good parts have such cells too"
    assert judge(anomaly(*pale, (1, 1, limit + 1)), recipe) == (Kind.PASS, ())
    kind, found = judge(anomaly(*pale, (5, 7, limit + 1)), recipe)
    assert kind is Kind.FAIL
    assert [region.area for region in found] == [4 * 16]
