"""The detector's maps are the thesis' formulas, written out in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.detector import (
    INPUT_MEAN,
    INPUT_STD,
    Detector,
    Maps,
    Teacher,
    build_detector,
    build_teacher,
    off_by,
)
from models.pdn import PdnSize

MakeDetector = Callable[[int], Detector]
Array = NDArray[np.float64]


def features(net: nn.Module, tiles: Tensor) -> Array:
    """What a network says of tiles that were normalized by hand."""
    mean, std = (np.array(v).reshape(3, 1, 1) for v in (INPUT_MEAN, INPUT_STD))
    images = torch.from_numpy((tiles.numpy().astype(np.float64) - mean) / std)
    with torch.inference_mode():
        return np.asarray(net.double()(images).numpy())


@pytest.mark.parametrize("seed", [0, 1])
def test_maps_are_the_formulas(thin_detector: MakeDetector, seed: int) -> None:
    detector = thin_detector(seed)
    tiles = torch.rand(2, 3, 256, 256)
    with torch.inference_mode():
        found = detector(tiles)
    mu, sigma = (
        v.numpy().astype(np.float64).reshape(-1, 1, 1)
        for v in (detector.teacher.mean, detector.teacher.std)
    )
    teacher = (features(detector.teacher.net, tiles) - mu) / sigma
    student = features(detector.student, tiles)
    predicted = features(detector.autoencoder, tiles)
    local = ((teacher - student[:, :3]) ** 2).mean(axis=1)
    globally = ((predicted - student[:, 3:]) ** 2).mean(axis=1)
    assert isinstance(found, Maps)
    assert found.local.dtype == found.globally.dtype == torch.float32
    np.testing.assert_allclose(found.local.numpy(), local, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.globally.numpy(), globally, rtol=1e-4, atol=1e-5)


def test_a_teacher_is_the_identity_until_its_statistics_are_set() -> None:
    teacher = Teacher(nn.Sequential(nn.Identity()), 3)
    images = torch.randn(1, 3, 8, 8)
    assert torch.equal(teacher(images), images)
    mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 1.0, 2.0])
    teacher.set_statistics(mean, std)
    plain = (images.numpy() - mean.numpy()[:, None, None]) / std.numpy()[:, None, None]
    np.testing.assert_allclose(teacher(images).numpy(), plain, rtol=1e-6)


def test_statistics_travel_in_the_state() -> None:
    teacher = Teacher(nn.Sequential(nn.Identity()), 3)
    teacher.set_statistics(torch.tensor([1.0, 2.0, 3.0]), torch.ones(3))
    assert teacher.state_dict()["mean"].tolist() == [1, 2, 3]
    assert "std" in teacher.state_dict()


@pytest.mark.parametrize(
    ("size", "parameters"), [(PdnSize.SMALL, 8_057_856), (PdnSize.MEDIUM, 20_738_432)]
)
def test_parameters_of_all_networks(size: PdnSize, parameters: int) -> None:
    with torch.device("meta"):
        detector = build_detector(build_teacher(size), size)
    assert sum(p.numel() for p in detector.parameters()) == parameters


def test_how_far_maps_are_off_loses_no_nan() -> None:
    ones, off = torch.ones(2, 2), torch.tensor([[1.0, 1.0], [1.0, 1.25]])
    assert off_by([off, ones], [ones, 2 * ones]) == 0.5
    for maps in ([ones, ones * torch.nan], [ones * torch.nan, ones]):
        assert math.isnan(off_by(maps, [ones, ones]))
