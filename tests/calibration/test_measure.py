"""Measuring refuses what would make no range."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.measure import Choice, measure
from models import bundle as bundles
from models.engine import Engine
from models.errors import InputError
from models.precision import Precision


def test_frames_that_are_all_alike_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    """A lens cap: every cell of a black frame's local map is the same, and has no quantiles."""
    bundle = bundles.load(tiny_bundle)
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((128, 128, 3), np.uint8))
    choice = Choice(alpha=0.5, device="cpu", precision=Precision.FP32)
    done: list[int] = []
    with pytest.raises(InputError, match=r"scale whole: the good frames look the same everywhere"):
        measure(bundle, Engine(bundle), paths, choice, done.append)
    assert done == [1, 2]


def test_the_default_rate_is_what_the_parts_support() -> None:
    choice = Choice(alpha=0.5, device="cpu", precision=Precision.FP32)
    assert choice.rate(4) == 0.2
    asked = Choice(alpha=0.5, device="cpu", precision=Precision.FP32, false_reject_rate=0.25)
    assert asked.rate(4) == 0.25
    with pytest.raises(InputError, match=r"25\.00% takes 3 parts"):
        asked.rate(2)
