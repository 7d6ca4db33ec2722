"""A student's halves are its own, and L_hard from few cells is L_hard."""

import pytest
import torch
from torch import Tensor, nn

from models.pdn import PdnSize, pdn
from tests.training.networks import thin_pdn
from training import losses
from training.halves import halves


@pytest.mark.parametrize("size", PdnSize)
def test_halves_are_the_students(size: PdnSize) -> None:
    torch.manual_seed(0)
    student = pdn(size, 8)
    images = torch.randn(1, 3, 61, 45)
    with torch.inference_mode():
        expected = student(images)
        found = torch.cat([half(images) for half in halves(student)], dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_halves_train_as_the_whole() -> None:
    student, other = thin_pdn(6), thin_pdn(6)
    other.load_state_dict(student.state_dict())
    images = torch.randn(2, 3, 61, 61)
    student(images)[:1, :3].square().sum().backward()
    first, _ = halves(other)
    first(images[:1]).square().sum().backward()  # type: ignore[no-untyped-call]
    for one, two in zip(student.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_hard_from_few_cells_is_hard(quantile: float) -> None:
    """Its value and its gradient, over a batch, in fp32."""
    torch.manual_seed(0)
    student = thin_pdn(6)
    images, teacher = torch.randn(2, 3, 61, 77), torch.randn(2, 3, 8, 12)
    first, _ = halves(student)
    found = first.hard(images, teacher, quantile)
    gradients = _gradients(student, found)
    expected = losses.hard(teacher, student(images)[:, :3], quantile)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    for one, two in zip(gradients, _gradients(student, expected), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def _gradients(net: nn.Module, loss: Tensor) -> list[Tensor]:
    net.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]
