"""AU-PRO and pixel AUROC: by hand, against their definitions, in whatever blocks they are made."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from tests.training.evaluation.slow_pro import area, curve
from training.evaluation.pixel_metrics import PixelAreas, PixelScores

Image = tuple[NDArray[np.float32], NDArray[np.bool_]]


def image(values: object, mask: object) -> Image:
    return np.array(values, np.float32), np.array(mask, np.bool_)


def areas(*images: Image, limits: tuple[float, ...] = (0.3, 0.05), **how: int) -> PixelAreas:
    with PixelScores(**how) as scored:
        for values, mask in images:
            scored.add(values, mask)
        return scored.areas(limits)


def au_pro(*images: Image, limit: float) -> float:
    found = areas(*images, limits=(limit,)).au_pro[limit]
    assert found is not None
    return found


def test_pixels_that_touch_at_a_corner_are_one_component() -> None:
    """One of three pixels leads: a third of one component, not all of one of two or three."""
    values = [[9, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5]]
    mask = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    # FPR 0: PRO 1/3, until the three 5s are passed at FPR 3/9; 0.3 lies before.
    found = areas(image(values, mask), limits=(0.3,))
    assert found.components == 1
    assert found.au_pro[0.3] == pytest.approx(1 / 3 + 0.0, abs=1e-12)


def test_every_component_counts_the_same_whatever_its_size() -> None:
    values = [[9, 9, 9, 9, 9, 0, 1]]
    mask = [[1, 1, 1, 1, 1, 0, 1]]
    other = [[3] * 10, [0] * 10]
    # The five lead: PRO 1/2 at FPR 0; ten 3s of 21 come before the single one.
    assert au_pro(image(values, mask), image(other, np.zeros((2, 10))), limit=0.3) == 0.5


def test_pro_is_interpolated_at_the_limit() -> None:
    """All scores are equal: the curve is the diagonal, and its share up to L is L / 2."""
    one = image(np.ones((4, 5)), np.eye(4, 5))
    for limit in (0.3, 0.05, 1.0):
        assert au_pro(one, limit=limit) == pytest.approx(limit / 2, abs=1e-12)


def test_a_tie_of_a_defect_and_others_is_one_point() -> None:
    """One defect pixel equals two of ten others: PRO rises from FPR 0 to 0.2, then stays."""
    one = image([[7, 7, 7, *[0] * 8]], [[1, 0, 0, *[0] * 8]])
    assert au_pro(one, limit=0.3) == pytest.approx((0.1 + 0.1) / 0.3, abs=1e-12)
    assert au_pro(one, limit=0.1) == pytest.approx(0.5 * 0.1 * 0.5 / 0.1, abs=1e-12)
    found = areas(one)
    assert found.auroc == pytest.approx(0.9, abs=1e-12)


def test_images_without_a_defect_give_false_positives_alone() -> None:
    bad = image([[5, 0]], [[1, 0]])
    good = image([[6, 0, 0, 0]], [[0, 0, 0, 0]])
    assert au_pro(bad, limit=0.3) == 1
    # The good image's 6 comes first: FPR 1/5, then PRO 1.
    assert au_pro(bad, good, limit=0.3) == pytest.approx(1 / 3, abs=1e-12)
    assert au_pro(bad, good, limit=0.2) == 0
    assert au_pro(bad, good, limit=0.05) == 0


def test_zero_and_minus_zero_are_equal_and_minus_infinity_is_last() -> None:
    zeros = image([[0.0, -0.0]], [[1, 0]])
    assert areas(zeros).auroc == 0.5
    outside = image([[-1e30, -math.inf, -math.inf]], [[1, 0, 0]])
    assert areas(outside).auroc == 1


def test_what_cannot_be_ranked_has_no_area_and_says_why() -> None:
    good = image([[1, 2]], [[0, 0]])
    assert areas(good) == PixelAreas(None, {0.3: None, 0.05: None}, 0, 2, 0)
    assert areas(good).reason == "no pixel is marked as a defect"
    full = areas(image([[1, 2]], [[1, 1]]))
    assert full.au_pro == {0.3: None, 0.05: None}
    assert full.reason == "every pixel is marked as a defect"
    assert areas().auroc is None


def test_maps_that_are_none_are_refused() -> None:
    scored = PixelScores()
    with pytest.raises(ValueError, match="NaN"):
        scored.add(*image([[math.nan]], [[0]]))
    with pytest.raises(ValueError, match=r"map \(1, 2\), mask \(1, 1\)"):
        scored.add(*image([[1, 2]], [[0]]))


@st.composite
def images(draw: st.DrawFn) -> list[Image]:
    """Small maps with many ties, and some without."""
    ties = draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1.0, 1e-3, 1e6]))
    made = []
    for _ in range(draw(st.integers(1, 4))):
        shape = tuple(random.integers(1, 7, 2))
        values = (random.integers(-ties, ties + 1, shape) / 7).astype(np.float32)
        if draw(st.booleans()):
            values = random.normal(size=shape).astype(np.float32)
        made.append((values * np.float32(scale), random.random(shape) < draw(st.floats(0, 0.6))))
    return made


@settings(max_examples=60)
@given(images(), st.integers(1, 30), st.sampled_from([0, 64, 1 << 20]))
def test_it_agrees_with_the_definitions(made: list[Image], block: int, in_memory: int) -> None:
    maps, masks = [m for m, _ in made], [m for _, m in made]
    found = areas(*made, limits=(0.3, 0.05, 1.0), block=block, in_memory=in_memory)
    bad = np.concatenate([m.ravel() for m in masks])
    if bad.all() or not bad.any():
        assert found.auroc is None
        return
    fpr, pro, tpr = curve(maps, masks)
    for limit, value in found.au_pro.items():
        assert value == pytest.approx(area(fpr, pro, limit), abs=1e-9)
    scores = np.concatenate([m.ravel() for m in maps])
    assert found.auroc == pytest.approx(area(fpr, tpr, 1.0), abs=1e-9)
    assert found.auroc == pytest.approx(roc_auc_score(bad, scores), abs=1e-9)


@pytest.mark.parametrize("kind", ["close", "wide", "constant"])
def test_large_maps_agree_in_small_blocks(kind: str) -> None:
    """Blocks of one upper half of a key, of many, and of more pixels than a block may have."""
    random = np.random.default_rng(0)
    made: list[Image] = []
    for _ in range(3):
        noise = random.random((90, 120), np.float32)
        values: NDArray[Any] = {
            "close": np.float32(1) + noise / 1000,
            "wide": np.exp(40 * noise - 20),
            "constant": np.round(noise),
        }[kind].astype(np.float32)
        made.append((values, random.random((90, 120)) < 0.01))
    whole = areas(*made, limits=(0.3,))
    parts = areas(*made, limits=(0.3,), block=5000, in_memory=10_000)
    assert whole.au_pro[0.3] == pytest.approx(parts.au_pro[0.3], abs=1e-12)
    scores = np.concatenate([m.ravel() for m, _ in made])
    bad = np.concatenate([m.ravel() for _, m in made])
    assert parts.auroc == pytest.approx(roc_auc_score(bad, scores), abs=1e-9)


def test_some_images_alone_are_as_if_the_others_were_never_added() -> None:
    random = np.random.default_rng(1)
    made = [
        (random.random((9, 9), np.float32), random.random((9, 9)) < share)
        for share in (0.3, 0, 0.2, 0.5)
    ]
    scored = PixelScores()
    for one in made:
        scored.add(*one)
    assert scored.areas((0.3,), images=(0, 1, 3)) == areas(made[0], made[1], made[3], limits=(0.3,))
