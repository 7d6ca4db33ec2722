"""The losses are the thesis' equations, in plain numpy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from training import losses

Array = NDArray[np.float64]


def features(seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4, requires_grad=True)


def squared(a: Tensor, b: Tensor) -> Array:
    difference = a.detach().numpy().astype(np.float64) - b.detach().numpy()
    return np.asarray(difference**2)


@given(st.integers(0, 999), st.sampled_from([0.0, 0.3, 0.5, 0.9, 0.99, 0.999, 1.0]))
def test_hard_is_the_mean_at_or_above_the_quantile(seed: int, quantile: float) -> None:
    teacher, student = features(seed)
    d = squared(teacher, student)
    expected = d[d >= np.quantile(d, quantile) - 1e-12].mean()
    assert losses.hard(teacher, student, quantile).item() == pytest.approx(expected, rel=1e-5)


def test_hard_with_quantile_0_is_the_plain_mean() -> None:
    teacher, student = features(0)
    expected = squared(teacher, student).mean()
    assert losses.hard(teacher, student, 0).item() == pytest.approx(expected, rel=1e-5)


def test_hard_keeps_one_element_in_a_thousand() -> None:
    """Of 384 x 56 x 56 = 1,204,224 elements the 1205 largest, by EfficientAD's quantile."""
    teacher, student = torch.zeros(1, 384, 56, 56), torch.randn(1, 384, 56, 56)
    student.requires_grad_()
    losses.hard(teacher, student).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    kept = student.grad != 0
    assert int(kept.sum()) == 1205
    assert student.detach()[kept].abs().min() >= student.detach()[~kept].abs().max()


def test_autoencoder_is_the_mean_squared_error() -> None:
    teacher, predicted = features(1)
    loss = losses.autoencoder(teacher, predicted)
    assert loss.item() == pytest.approx(squared(teacher, predicted).mean(), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None


def test_student_follows_the_autoencoder_and_it_the_student() -> None:
    """Equation 4.4 detaches neither, as in EfficientAD."""
    predicted, student = features(2)
    predicted.requires_grad_()
    loss = losses.student_autoencoder(predicted, student)
    assert loss.item() == pytest.approx(squared(predicted, student).mean(), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert predicted.grad is not None
    torch.testing.assert_close(student.grad, -predicted.grad)


def test_out_of_distribution_is_the_mean_square() -> None:
    _, student = features(3)
    expected = squared(student, torch.zeros(1)).mean()
    assert losses.out_of_distribution(student).item() == pytest.approx(expected, rel=1e-5)


@given(st.integers(0, 999), st.floats(0.01, 100), st.floats(0.01, 100))
def test_distance_is_of_directions(seed: int, one: float, other: float) -> None:
    """Equation 4.5 at each position, whatever the lengths."""
    teacher, student = (f.detach() for f in features(seed))
    found = losses.distance(teacher * one, student * other).numpy()
    t, s = (f.numpy().astype(np.float64) for f in (teacher, student))
    for n, y, x in np.ndindex(2, 5, 4):
        a, b = t[n, :, y, x], s[n, :, y, x]
        expected = ((a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2).sum()
        assert found[n, y, x] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_distance_is_bounded() -> None:
    teacher = torch.randn(2, 3, 5, 4)
    torch.testing.assert_close(losses.distance(teacher, -teacher), torch.full((2, 5, 4), 4.0))
    assert losses.distance(teacher, teacher).max() == 0
    assert losses.distance(torch.zeros(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)).item() == 0


def collaborative(normal: Array, anomalous: Array, gamma: float) -> float:
    """Equations 4.7 to 4.9."""
    top, bottom = 0.0, 0.0
    for d in normal:
        w = min((d / normal.mean()) ** gamma, losses.WEIGHT_LIMIT)
        top, bottom = top + w * d, bottom + w
    for d in anomalous:
        w = min((d / anomalous.mean()) ** -gamma, losses.WEIGHT_LIMIT)
        top, bottom = top - w * d, bottom + w
    return top / bottom


distances = st.lists(st.floats(0.01, 4), min_size=1, max_size=20).map(np.array)


@given(distances, distances, st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0]))
def test_collaborative_is_equation_4_9(normal: Array, anomalous: Array, gamma: float) -> None:
    found = losses.collaborative(
        torch.tensor(normal, dtype=torch.float32),
        torch.tensor(anomalous, dtype=torch.float32),
        gamma,
    )
    expected = collaborative(normal, anomalous, gamma)
    assert found.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_collaborative_without_anomalous_cells_leaves_their_terms_out() -> None:
    normal = np.array([0.1, 0.5, 2.0])
    found = losses.collaborative(torch.tensor(normal), torch.empty(0), 2.0)
    assert found.item() == pytest.approx((normal**3).sum() / (normal**2).sum())
    assert losses.collaborative(torch.empty(0), torch.tensor(normal), 0.0).item() == pytest.approx(
        -normal.mean()
    )
    assert losses.collaborative(torch.empty(0), torch.empty(0), 2.0).item() == 0


def test_weights_are_no_part_of_the_gradient() -> None:
    normal = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    anomalous = torch.tensor([0.3, 1.0], dtype=torch.float64, requires_grad=True)
    losses.collaborative(normal, anomalous, 2.0).backward()  # type: ignore[no-untyped-call]
    n, a = normal.detach().numpy(), anomalous.detach().numpy()
    pull, push = (n / n.mean()) ** 2, (a / a.mean()) ** -2.0
    assert normal.grad is not None
    assert anomalous.grad is not None
    np.testing.assert_allclose(normal.grad, pull / (pull.sum() + push.sum()))
    np.testing.assert_allclose(anomalous.grad, -push / (pull.sum() + push.sum()))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_weights_of_no_distance_are_finite(gamma: float) -> None:
    """An anomalous cell at d = 0 would have an infinite weight (eq. 4.8)."""
    zeros = torch.zeros(3, requires_grad=True)
    for normal, anomalous in ((zeros, zeros), (torch.ones(2), torch.tensor([0.0, 1.0]))):
        loss = losses.collaborative(normal, anomalous.clone().requires_grad_(), gamma)
        assert math.isfinite(loss.item())
    found = losses.collaborative(torch.ones(2), torch.tensor([0.0, 1.0]), 2.0)
    push = np.array([losses.WEIGHT_LIMIT, 0.25])
    assert found.item() == pytest.approx((2 - 0.25) / (2 + push.sum()), rel=1e-5)
