"""The grid that intervals come from agrees with exact areas, also for images drawn repeatedly."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.pixel_metrics import PixelScores
from training.evaluation.pro import pixel_grid

Image = tuple[NDArray[np.float32], NDArray[np.bool_]]


def smooth(seed: int, defective: bool) -> Image:
    """A map of 96 x 96 as networks make them, whose defects score higher, not all of them."""
    random = np.random.default_rng(seed)
    mask = np.zeros((96, 96), np.bool_)
    values = random.normal(size=(12, 12)).astype(np.float32)
    for _ in range(3 if defective else 0):
        y, x = random.integers(0, 80, 2)
        mask[y : y + 12, x : x + 9] = True
        values[y // 8 : y // 8 + 2, x // 8 : x // 8 + 2] += random.uniform(0, 3)
    scaled = cv2.resize(values, (96, 96), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled, np.float32), mask


@pytest.mark.parametrize("times", [(1, 1, 1, 1, 1, 1), (3, 0, 1, 2, 0, 0), (0, 1, 5, 0, 0, 1)])
def test_an_image_that_counts_twice_is_as_two(times: tuple[int, ...]) -> None:
    images = [smooth(seed, defective=seed < 4) for seed in range(6)]
    with PixelScores() as once, PixelScores() as repeated:
        for image, count in zip(images, times, strict=True):
            once.add(*image)
            for _ in range(count):
                repeated.add(*image)
        grid = pixel_grid(once)
        exact = repeated.areas()
    assert grid is not None
    weights = np.array([times], np.float64)
    for limit, area in exact.au_pro.items():
        assert grid.au_pro(limit, weights)[0] == pytest.approx(area, abs=4e-3)
    assert grid.auroc(weights)[0] == pytest.approx(exact.auroc, abs=4e-3)


def test_the_curve_goes_from_no_false_positive_to_all() -> None:
    with PixelScores() as pixels:
        for seed in range(3):
            pixels.add(*smooth(seed, defective=True))
        grid = pixel_grid(pixels)
    assert grid is not None
    rate, pro = grid.curve()
    assert (rate[0], rate[-1], pro[-1]) == pytest.approx((0, 1, 1), abs=1e-12)
    assert (np.diff(rate) >= 0).all()
    assert (np.diff(pro) >= 0).all()


def test_a_draw_without_a_component_has_no_area() -> None:
    with PixelScores() as pixels:
        pixels.add(*smooth(0, defective=True))
        pixels.add(*smooth(1, defective=False))
        grid = pixel_grid(pixels)
    assert grid is not None
    found = grid.au_pro(0.3, np.array([[0.0, 2.0], [1.0, 1.0]]))
    assert np.isnan(found[0])
    assert found[1] > 0


def test_there_is_no_grid_without_a_good_pixel() -> None:
    with PixelScores() as pixels:
        pixels.add(np.ones((3, 3), np.float32), np.ones((3, 3), np.bool_))
        assert pixel_grid(pixels) is None
