"""Drawn natural images, and distillations of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch import Tensor

from models.precision import Precision
from tests.training.distillation.patches import CHANNELS, CPU, Patches
from training.checkpoint import Checkpoint
from training.distillation.distill import Distillation
from training.distillation.kept import Kept
from training.distillation.ranks import Ranks
from training.distillation.settings import DistillSettings
from training.distillation.targets import Targets
from training.distillation.views import NaturalImages


@pytest.fixture
def backbone() -> Patches:
    return Patches()


@pytest.fixture(scope="session")
def natural(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of 120 x 90, blurred noise, of which one is held out."""
    folder = tmp_path_factory.mktemp("natural")
    random = np.random.default_rng(0)
    for place in range(10):
        small = random.integers(0, 256, (9, 12, 3), np.uint8)
        cv2.imwrite(str(folder / f"{place:02}.png"), cv2.resize(small, (120, 90)))
    return folder


Make = Callable[..., Distillation]


@pytest.fixture
def distillation(natural: Path, tmp_path: Path, backbone: Patches) -> Make:
    """Make a distillation in fp32 that takes two steps of two small windows, or as told."""

    def make(
        start: dict[str, Tensor] | None = None,
        *,
        checkpoint: Path | None = None,
        kept: Path | None = None,
        **changed: Any,
    ) -> Distillation:
        usual = {
            "channels": CHANNELS,
            "steps": 2,
            "batch": 2,
            "cells": 4,
            "checkpoint_every": 1,
            "precision": Precision.FP32,
        }
        settings = DistillSettings(natural, **{**usual, **changed})
        return Distillation(
            settings,
            NaturalImages.split(natural),
            Targets(backbone, CPU, settings.precision, Kept(kept) if kept else None),
            start,
            Checkpoint(checkpoint or tmp_path / "run.checkpoint", "key"),
            Ranks(CPU),
        )

    return make
