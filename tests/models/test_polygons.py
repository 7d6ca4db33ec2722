"""A pixel is in a polygon if its centre is; and parameters of cameras are merged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.camera_parameters import CameraParameters
from models.polygons import Point, inside, mask_sha256
from models.recipe_record import Recipe

HEIGHT, WIDTH = 9, 12

_axis = st.integers(-8, 60).map(lambda quarter: quarter / 4)  # borders hit centres, and miss them
_points = st.lists(st.tuples(_axis, _axis), min_size=3, max_size=7).map(tuple)


def slow(polygon: tuple[Point, ...], x: float, y: float) -> bool:
    """Count the edges that a ray to the left crosses."""
    crossed = 0
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y0 <= y) != (y1 <= y):
            crossed += x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x
    return crossed % 2 == 1


@given(st.lists(_points, max_size=3))
def test_as_by_counting_edges(polygons: list[tuple[Point, ...]]) -> None:
    found = inside(polygons, HEIGHT, WIDTH)
    assert found.shape == (HEIGHT, WIDTH)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        centre = column + 0.5, row + 0.5
        assert found[row, column] == any(slow(polygon, *centre) for polygon in polygons)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, -0.25])
def test_a_rectangle_has_its_pixels_and_no_half_ones(shift: float) -> None:
    """Up to the centres of its first pixels, which belong to it, and of the first behind it."""
    corners = ((2, 3), (6, 3), (6, 5), (2, 5))
    mask = inside([tuple((x + shift, y + shift) for x, y in corners)], HEIGHT, WIDTH)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:5, 2:6] = True
    assert np.array_equal(mask, expected)


@given(_axis, _axis)
def test_neighbours_share_no_pixel_and_leave_none(above: float, below: float) -> None:
    left = ((0, 0), (above, 0), (below, HEIGHT), (0, HEIGHT))
    right = ((above, 0), (WIDTH, 0), (WIDTH, HEIGHT), (below, HEIGHT))
    if min(above, below) >= 0 and max(above, below) <= WIDTH:
        a, b = inside([left], HEIGHT, WIDTH), inside([right], HEIGHT, WIDTH)
        assert np.array_equal(a, ~b)


def test_a_mask_is_named_by_its_pixels_and_shape() -> None:
    mask = np.zeros((4, 6), bool)
    names = [mask_sha256(mask), mask_sha256(np.zeros((4, 7), bool)), mask_sha256(~mask)]
    assert len({*names, mask_sha256(None)}) == 4
    assert mask_sha256(mask) == mask_sha256(np.asfortranarray(mask))


def test_a_camera_of_its_own_goes_over_any() -> None:
    recipe = Recipe.model_validate(
        {
            "name": "nut",
            "version": 1,
            "bundle": "b",
            "calibration": "calibration-1.json",
            "camera": {
                "*": {"exposure_us": 900, "features": {"Gamma": 0.8, "BlackLevel": 3}},
                "top": {"gain_db": 6, "features": {"Gamma": 1.0, "ReverseX": True}},
            },
        }
    )
    again = Recipe.model_validate_json(recipe.model_dump_json())
    assert again.camera_parameters("side").as_features() == {
        "ExposureTime": 900.0,
        "Gamma": 0.8,
        "BlackLevel": 3,
    }
    top = again.camera_parameters("top").as_features()
    assert list(top) == ["ExposureTime", "Gain", "Gamma", "BlackLevel", "ReverseX"]
    assert top["Gamma"] == 1.0
    assert top["ReverseX"] is True
    assert CameraParameters().as_features() == {}


@pytest.mark.parametrize(("mm2", "pixels", "least"), [(None, 20.0, 20.0), (1.5, 0.0, 150.0)])
def test_the_least_area_is_in_pixels(mm2: float | None, pixels: float, least: float) -> None:
    recipe = Recipe(
        name="nut",
        version=1,
        bundle="b",
        calibration="calibration-1.json",
        minimum_region_area=pixels,
        minimum_region_area_mm2=mm2,
        pixels_per_mm=10,
    )
    assert recipe.least_area == least
