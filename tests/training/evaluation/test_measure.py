"""From raw maps and masks to a result: no network has a part in it."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models.calibration import NormalRange, RawMaps, ScaleRange
from models.geometry import Box, Whole
from models.scope import Scope
from tests.training.evaluation.slow_pro import area, curve
from training.data.samples import DataSet, Sample
from training.evaluation.bootstrap import Bootstrap
from training.evaluation.looked import Looked
from training.evaluation.maps import KeptMaps
from training.evaluation.measure import alpha_of, measure_alpha, measure_map
from training.evaluation.normal import Normal
from training.evaluation.result import MapResult
from training.evaluation.truth import Truth

SIZE = 64  # pixels
ROOT = Path("data")
HOW = Bootstrap(resamples=200)
RANGES = {
    "whole": ScaleRange(local=NormalRange(q_a=0.2, q_b=0.7), globally=NormalRange(q_a=0.1, q_b=1.1))
}
KINDS = (None, None, None, "hole", "hole", "spot")


def sample(n: int, kind: str | None, part: str = "") -> Sample:
    return Sample(ROOT / "test" / (kind or "good") / f"{n}.png", kind, part=part)


def marked(n: int, kind: str | None) -> NDArray[np.bool_]:
    mask = np.zeros((SIZE, SIZE), np.bool_)
    if kind is not None:
        mask[5 * n : 5 * n + 12, 10:20] = True
        mask[2:8, 40 + n : 50] = True
    return mask


def raw(n: int, mask: NDArray[np.bool_]) -> RawMaps:
    """Maps on three levels, some of them higher where the defect is."""
    random = np.random.default_rng(n)
    cells = mask[:: SIZE // 56, :: SIZE // 56][:56, :56]
    local, globally = random.integers(0, 3, (2, 56, 56)) / 2 + cells * random.integers(0, 3)
    placement = Whole(SIZE, SIZE).placement
    return RawMaps(torch.tensor(local).float(), torch.tensor(globally).float(), placement)


@contextmanager
def looked(
    samples: list[Sample], *, masks: bool = True, scope: Scope | None = None
) -> Iterator[Looked]:
    normal = Normal(
        "held-out", 0.5, RANGES, 33, 1 / 34, scope or Scope(), lambda alpha: 0.2 + alpha / 10
    )
    truths = []
    with KeptMaps() as kept:
        for n, one in enumerate(samples):
            mask = marked(n, one.defect)
            packed = zlib.compress(np.packbits(mask).tobytes())
            truths.append(Truth(SIZE, SIZE, packed if masks or one.good else None))
            kept.append({"whole": raw(n, mask)})
        data = DataSet("drawn", ROOT, "mvtec", (), tuple(samples))
        yield Looked(data, truths, kept, normal, {"whole": 1.0})


def measured(those: Looked, alpha: float = 0.5) -> MapResult:
    return measure_map(those, alpha, those.parts.resampled(HOW), HOW)


def plain(samples: list[Sample], alpha: float) -> list[NDArray[np.float32]]:
    """Give the fused maps, (56, 56), by the formula."""
    found = []
    for n, one in enumerate(samples):
        maps = raw(n, marked(n, one.defect))
        fused = alpha * (maps.local - 0.2) * 0.1 / 0.5 + (1 - alpha) * (maps.globally - 0.1) * 0.1
        found.append(fused.numpy())
    return found


SAMPLES = [sample(n, kind) for n, kind in enumerate(KINDS)]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_all_is_as_the_formulas_give(alpha: float) -> None:
    with looked(SAMPLES) as those:
        found = measured(those, alpha)
        pixels = [those.pixels(n, alpha) for n in range(len(SAMPLES))]
        assert alpha_of(found) == measure_alpha(those, alpha).model_copy(
            update={"values": alpha_of(found).values}
        )
        swept = measure_alpha(those, alpha).values
    scores = [float(m.max()) for m in plain(SAMPLES, alpha)]
    bad = [kind is not None for kind in KINDS]
    assert found.threshold == 0.2 + alpha / 10
    assert found.images["auroc"].value == pytest.approx(roc_auc_score(bad, scores), abs=1e-9)
    rejected = np.array(scores) >= found.threshold
    assert found.images["recall"].value == pytest.approx(rejected[3:].mean())
    assert found.images["false_reject_rate"].value == pytest.approx(rejected[:3].mean())
    masks = [marked(n, kind) for n, kind in enumerate(KINDS)]
    for limit in (0.3, 0.05):
        coarse = [np.round(m, 2) for m in pixels]
        fpr, pro, _ = curve(coarse, masks)
        value = found.pixels[f"au_pro_{limit:g}"].value
        assert value == pytest.approx(area(fpr, pro, limit), abs=0.01), "two digits, few levels"
        assert swept[f"au_pro_{limit:g}"].value == value
    every, where = (np.concatenate([m.ravel() for m in those]) for those in (pixels, masks))
    assert found.pixels["pixel_auroc"].value == pytest.approx(roc_auc_score(where, every), abs=1e-9)


def test_a_type_of_defect_stands_against_all_good_images() -> None:
    with looked(SAMPLES) as those:
        found = measured(those)
    scores = [float(m.max()) for m in plain(SAMPLES, 0.5)]
    assert set(found.defects) == {"hole", "spot"}
    assert (found.defects["hole"].images, found.defects["hole"].components) == (2, 4)
    for kind, which in (("hole", [0, 1, 2, 3, 4]), ("spot", [0, 1, 2, 5])):
        bad = [KINDS[n] is not None for n in which]
        expected = roc_auc_score(bad, [scores[n] for n in which])
        assert found.defects[kind].values["auroc"].value == pytest.approx(expected)
    with looked(SAMPLES[:5]) as fewer:
        alone = measured(fewer).pixels["au_pro_0.3"].value
    assert found.defects["hole"].values["au_pro_0.3"].value == pytest.approx(alone)


def test_intervals_hold_the_value() -> None:
    with looked(SAMPLES) as those:
        found = measured(those)
    for value in (found.images["auroc"], *found.pixels.values()):
        assert value.value is not None
        assert value.low is not None
        assert value.high is not None
        assert value.low <= value.value <= value.high
        assert value.low < value.high


def test_a_part_has_the_score_of_its_highest_view() -> None:
    parts = ["A", "A", "B", "B", "", "C"]
    samples = [
        sample(n, kind, part) for n, (kind, part) in enumerate(zip(KINDS, parts, strict=True))
    ]
    with looked(samples) as those:
        found = measured(those)
    scores = [float(m.max()) for m in plain(samples, 0.5)]
    highest = [max(scores[:2]), max(scores[2:4]), scores[4], scores[5]]
    assert found.parts is not None
    assert found.parts["auroc"].value == pytest.approx(roc_auc_score([0, 1, 1, 1], highest))
    with looked(SAMPLES) as those:
        assert measured(those).parts is None, "every image is a part"


def test_without_masks_there_are_image_metrics_only() -> None:
    with looked(SAMPLES, masks=False) as those:
        found = measured(those)
    assert found.images["auroc"].value is not None
    assert found.pixels["au_pro_0.3"].reason == "no defective test image has a mask"
    assert found.pixels["au_pro_0.3"].value is None
    assert found.pro == ()
    assert found.pixel_counts is None
    assert found.defects["hole"].components == 0


@pytest.mark.parametrize(("which", "lacks"), [(slice(3), "defective"), (slice(3, None), "good")])
def test_one_class_alone_is_told_as_undefined(which: slice, lacks: str) -> None:
    with looked(SAMPLES[which]) as those:
        found = measured(those)
    auroc = found.images["auroc"]
    assert (auroc.value, auroc.reason) == (None, f"no {lacks} image among those to test with")
    assert (auroc.low, auroc.high) == (None, None)
    assert found.roc == ()
    has = "false_reject_rate" if lacks == "defective" else "recall"
    assert found.images[has].value is not None
    if lacks == "defective":
        assert found.pixels["pixel_auroc"].value is None
        assert found.best_threshold is None


def test_pixels_that_are_not_inspected_are_below_all() -> None:
    ignored = np.zeros((SIZE, SIZE), np.bool_)
    ignored[20:24, 30:40] = True
    box = Box(x=8, y=4, width=48, height=40)
    with looked(SAMPLES, scope=Scope(region=box, ignored=ignored)) as those:
        cut = those.pixels(3, 0.5)
    with looked(SAMPLES) as those:
        whole = those.pixels(3, 0.5)
    outside = np.ones((SIZE, SIZE), np.bool_)
    outside[4:44, 8:56] = False
    outside |= ignored
    assert (cut[outside] == -np.inf).all()
    assert (cut[~outside] == whole[~outside]).all()
