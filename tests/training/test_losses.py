"""The losses are the thesis' equations, in plain numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training import losses


def features(seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4, requires_grad=True)


def squared(a: Tensor, b: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
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
