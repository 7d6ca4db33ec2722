"""Acceptance as a whole, on drawn parts and networks that were trained on some."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from calibration.acceptance.accept import decide
from calibration.acceptance.answer import Acceptance, Answer, Check, Suspect
from calibration.acceptance.page import html
from calibration.acceptance.text import told
from models.bundle import Bundle
from tests.calibration.acceptance.drawn import SIZE, Frame, bad, good, judged, shown


def dimmer(frame: Frame) -> Frame:
    return np.asarray(frame.astype(np.float32) * 0.6 + 0.5, np.uint8)


def blurred(frame: Frame) -> Frame:
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 2.5), np.uint8)


def other_product(seed: int) -> Frame:
    """Colours that wander smoothly: no nut, and no background."""
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("first", [100, 140, 180])
def test_other_good_parts_are_recalibrated(
    drawn_bundle: Bundle, tmp_path: Path, first: int
) -> None:
    found = judged(drawn_bundle, shown(good(30, first)), tmp_path).acceptance
    assert found.answer is Answer.RECALIBRATED, found
    assert found.separation is not None
    assert found.separation.frames == len(found.spoilt) == 24


@pytest.mark.parametrize("change", [dimmer, blurred])
def test_a_change_of_light_or_focus_is_never_recalibrated(
    drawn_bundle: Bundle, tmp_path: Path, change: Callable[[Frame], Frame]
) -> None:
    frames = shown([change(frame) for frame in good(15)])
    found = judged(drawn_bundle, frames, tmp_path).acceptance
    assert found.answer is not Answer.RECALIBRATED
    light = {check.name for check in found.failed} & {"brightness", "contrast", "sharpness"}
    assert ("sharpness" in light) if change is blurred else ("brightness" in light)


def test_another_product_needs_training(drawn_bundle: Bundle, tmp_path: Path) -> None:
    frames = shown([other_product(seed) for seed in range(15)])
    found = judged(drawn_bundle, frames, tmp_path).acceptance
    assert found.answer is Answer.NEEDS_RETRAINING
    assert any("local map" in check.name for check in found.failed)


def test_gross_defects_are_named_and_reported(drawn_bundle: Bundle, tmp_path: Path) -> None:
    spoilt = []
    for frame in good(2, 300):
        broken = frame.copy()
        broken[40:80, 50:70] = (255, 0, 255)
        spoilt.append(broken)
    frames = [*shown(good(28)), *shown(spoilt, "broken")]
    found = judged(drawn_bundle, frames, tmp_path)
    acceptance = found.acceptance
    assert acceptance.answer is Answer.SUSPECT_PARTS
    assert {s.name for s in acceptance.suspects} >= {"broken-0", "broken-1"}
    assert len(acceptance.suspects) <= 3
    assert not any(check.by_few for check in acceptance.checks), "two suspects may decide those"
    spoiled = {one.name for one in acceptance.spoilt}
    assert not spoiled & {"broken-0", "broken-1"}, "a suspect is no good frame to spoil"

    page = html(acceptance, found.judge, "<nut> version 3")
    assert "&lt;nut&gt; version 3" in page
    assert "http" not in page
    assert "<script" not in page
    assert page.count("<img") >= 4 * (len(acceptance.suspects) + 4)
    for name in ("broken-0", "broken-1"):
        assert name in page

    console = Console(width=160, record=True, force_terminal=False)
    for part in told(acceptance):
        console.print(part)
    said = console.export_text()
    for word in ("SUSPECT_PARTS", "broken-1", "--without-suspects"):
        assert word in said
    assert Acceptance.model_validate_json(acceptance.model_dump_json()) == acceptance


def test_the_order_of_frames_changes_nothing(drawn_bundle: Bundle, tmp_path: Path) -> None:
    frames = shown([*good(8), *bad(2)])
    one = judged(drawn_bundle, frames, tmp_path).acceptance
    other = judged(drawn_bundle, frames[::-1], tmp_path).acceptance
    assert one == other


def check(fails: Answer | None) -> Check:
    return Check(name="x", value=1, limit="", ok=fails is None, fails=fails)


SUSPECT = Suspect(name="a", digest="0", part="a", score=1, says="")


@pytest.mark.parametrize(
    ("checks", "suspects", "answer"),
    [
        ([check(None)], [], Answer.RECALIBRATED),
        ([check(Answer.LIGHTING_CHANGED)], [], Answer.LIGHTING_CHANGED),
        ([check(Answer.LIGHTING_CHANGED)], [SUSPECT], Answer.SUSPECT_PARTS),
        ([check(Answer.NEEDS_RETRAINING)], [SUSPECT], Answer.NEEDS_RETRAINING),
        (
            [check(Answer.LIGHTING_CHANGED), check(Answer.NEEDS_RETRAINING)],
            [],
            Answer.NEEDS_RETRAINING,
        ),
    ],
)
def test_what_decides(checks: list[Check], suspects: list[Suspect], answer: Answer) -> None:
    assert decide(checks, suspects) is answer
