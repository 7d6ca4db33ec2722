"""The loss is of features standardized over all cells."""

import numpy as np
import pytest
import torch
from torch import nn

from models.detector import INPUT_MEAN, INPUT_STD
from models.precision import Precision
from tests.training.distillation.patches import CHANNELS, CPU
from training.distillation.comparison import Comparison
from training.distillation.targets import Batch


def batch(count: int, level: float) -> Batch:
    """Features whose channels have levels and widths of their own."""
    features = torch.randn(count, 5, 5, CHANNELS) * torch.arange(1, CHANNELS + 1) + level
    return Batch(torch.rand(count, 3, 52, 52), features)


def test_statistics_are_of_all_cells_from_their_common_mean() -> None:
    """Batches of unequal size and level; an average of each one's own would be off."""
    batches = [batch(1, 0), batch(2, 9), batch(4, -3)]
    comparison = Comparison(CHANNELS, Precision.FP32, CPU)
    comparison.measure(batches)
    cells = np.concatenate([b.features.double().numpy().reshape(-1, CHANNELS) for b in batches])
    np.testing.assert_allclose(comparison.mean, cells.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(comparison.std, cells.std(axis=0), rtol=1e-5)


def test_the_loss_written_out() -> None:
    given = batch(3, 2)
    comparison = Comparison(CHANNELS, Precision.FP32, CPU)
    comparison.measure([given])
    net = nn.Conv2d(3, CHANNELS, 33, stride=4)
    images = given.tiles.double().numpy()
    images = (images - np.reshape(INPUT_MEAN, (3, 1, 1))) / np.reshape(INPUT_STD, (3, 1, 1))
    weight, bias = (p.detach().double().numpy() for p in net.parameters())
    features = given.features.double().numpy()
    mean, std = (v.double().numpy() for v in (comparison.mean, comparison.std))
    errors = []
    for n in range(3):
        for y in range(5):
            for x in range(5):
                seen = images[n, :, 4 * y : 4 * y + 33, 4 * x : 4 * x + 33]
                found = np.tensordot(weight, seen, axes=3) + bias
                errors.append((found - (features[n, y, x] - mean) / std) ** 2)
    assert comparison.loss(net, given).item() == pytest.approx(np.mean(errors), rel=1e-5)


def test_knowing_nothing_is_a_loss_of_1() -> None:
    batches = [batch(2, 1), batch(3, 4)]
    comparison = Comparison(CHANNELS, Precision.FP32, CPU)
    comparison.measure(batches)
    nothing = nn.Conv2d(3, CHANNELS, 33, stride=4)
    nn.init.zeros_(nothing.weight)
    assert nothing.bias is not None
    nn.init.zeros_(nothing.bias)
    assert comparison.mean_loss(nothing, batches) == pytest.approx(1, abs=1e-5)


def test_the_mean_is_over_views_not_batches() -> None:
    together = batch(6, 1)
    parts = [Batch(*(t[a:b] for t in together)) for a, b in [(0, 1), (1, 6)]]
    comparison = Comparison(CHANNELS, Precision.FP32, CPU)
    net = nn.Conv2d(3, CHANNELS, 33, stride=4)
    whole = comparison.loss(net, together).item()
    assert comparison.mean_loss(net, parts) == pytest.approx(whole, rel=1e-5)
    assert comparison.loss(net, parts[0]).item() != pytest.approx(whole, rel=1e-3)
