"""Thinner convolutions: the directions at a point, and the products that stand for a layer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.training.reduction.narrow import convolutions
from training.reduction.factors import Directions, Onto, convolution, pointwise, product
from training.reduction.moments import Moment, NetMoments, Point
from training.reduction.ranks import Choice, Ranks


def point(values: Tensor, felt: Tensor) -> Point:
    """A point of which (N, channels, h, w) values were seen, and felt as a matrix's rows say."""
    found = Point(values.shape[1])
    found.values.add(values)
    found.felt.sum = felt.T.double() @ felt.double() * found.values.places
    found.felt.places = found.values.places
    return found


@given(seed=st.integers(0, 1000), rank=st.integers(0, 12))
def test_what_is_lost_is_what_the_outputs_miss(seed: int, rank: int) -> None:
    """For a linear map of independent places the first order is all there is."""
    torch.manual_seed(seed)
    values = torch.einsum("ck,nkhw->nchw", torch.randn(12, 12), torch.randn(2, 12, 20, 20))
    matrix = torch.randn(7, 12)
    directions = Directions(point(values, matrix), tiles=1)
    lost = float(directions.lost[rank])
    assert (directions.lost.diff() <= 1e-9).all()
    kept = directions.onto(rank)
    if kept is None:
        assert lost == 0
        return
    assert kept.down.shape == (rank, 12)
    missed = matrix.double() @ (torch.eye(12) - kept.up @ kept.down)
    energy = torch.einsum("oc,nchw->nohw", missed, values.double()).square().sum()
    assert lost == pytest.approx(float(energy), rel=1e-3, abs=1e-6)
    if rank >= 7:  # so many outputs feel no more directions
        assert lost == pytest.approx(0, abs=1e-6 * float(directions.lost[0]))


@pytest.mark.parametrize("padding", [0, 2])
def test_a_product_stands_for_a_layer_whose_values_lie_along_few_directions(padding: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(12, 10, 3, padding=padding).requires_grad_(False)
    onto = torch.randn(10, 4)
    layer.weight.copy_(torch.einsum("or,rkyx->okyx", onto, torch.randn(4, 12, 3, 3)))
    layer.bias.copy_(onto @ torch.randn(4))  # type: ignore[union-attr]
    values = torch.einsum("ck,nkhw->nchw", torch.randn(12, 5), torch.randn(2, 5, 20, 20))
    outputs = layer(values)
    before = Directions(point(values, torch.eye(12)), tiles=1)
    behind = Directions(point(outputs, torch.eye(10)), tiles=1)
    for ranks in (Ranks(5, 10), Ranks(12, 4), Ranks(5, 4), Ranks(12, 10)):
        found = product(layer, before.onto(ranks.inputs), behind.onto(ranks.outputs))
        torch.testing.assert_close(found(values), outputs, rtol=1e-4, atol=1e-4)
        shapes = [tuple(c.weight.shape[:2]) for c in convolutions(found)]
        assert (
            shapes
            == {
                Ranks(5, 10): [(5, 12), (10, 5)],
                Ranks(12, 4): [(4, 12), (10, 4)],
                Ranks(5, 4): [(5, 12), (4, 5), (10, 4)],
                Ranks(12, 10): [(10, 12)],
            }[ranks]
        )


def test_convolutions_keep_step_and_padding() -> None:
    like = nn.Conv2d(2, 2, 3, stride=2, padding=1)
    made = convolution(torch.ones(4, 2, 3, 3), None, like)
    assert (made.stride, made.padding, made.bias) == ((2, 2), (1, 1), None)
    assert pointwise(torch.eye(3), torch.ones(3))(torch.zeros(1, 3, 2, 2)).eq(1).all()


def test_ranks_cost_least() -> None:
    """Every pair is tried by hand."""
    torch.manual_seed(1)
    layer = nn.Conv2d(48, 40, 3)
    falling = 0.7 ** torch.arange(48.0)[:, None, None] * torch.randn(1, 48, 30, 30)
    before = Directions(point(falling, torch.eye(48)), 1)
    behind = Directions(point(torch.randn(1, 40, 30, 30) * 1e-3, torch.eye(40)), 1)
    choice = Choice(layer, before, behind, places=100)
    for price in (0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1.0):

        def cost(inputs: int, outputs: int, price: float = price) -> float:
            products = inputs * outputs * 9
            products += 48 * inputs * (inputs < 48) + 40 * outputs * (outputs < 40)
            return float(before.lost[inputs] + behind.lost[outputs]) + price * 100 * products

        every = {(i, o): cost(i, o) for i in (16, 32, 48) for o in (16, 32, 40)}
        assert choice.best(price) == min(every, key=every.__getitem__)
    assert choice.best(0.0) == (48, 40)
    assert choice.best(1.0) == (16, 16)
    assert Choice(layer, before, None, places=100).best(1.0) == (16, 40)


def test_points_see_values_and_what_is_felt_of_them() -> None:
    """Also behind a layer that works in place, and with a weight."""
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 2), nn.ReLU(inplace=True))
    net.requires_grad_(False)
    moments = NetMoments(net)
    assert list(moments.at) == [1]
    image = torch.rand(1, 3, 6, 6, requires_grad=True)
    with moments.watching(0.5):
        net(image).sum().backward()
    net(image).sum().backward()  # is not watched
    inputs = net[0](image)
    outputs = net[1](inputs)
    assert 0 < (outputs > 0).float().mean() < 1
    felt = torch.ones_like(outputs)  # behind what works in place
    for seen, wanted in (
        (moments.at[1].inputs.values, inputs),
        (moments.at[1].outputs.values, outputs),
        (moments.at[1].outputs.felt, felt),
    ):
        expected = Moment(wanted.shape[1])
        expected.add(wanted, 0.5)
        torch.testing.assert_close(seen.sum, expected.sum, rtol=1e-5, atol=1e-6)
        assert seen.places == expected.places == 0.5 * wanted[0, 0].numel()
    back = nn.functional.conv_transpose2d((outputs > 0).float(), net[1].weight)  # type: ignore[arg-type]
    expected = Moment(4)
    expected.add(back, 0.5)
    torch.testing.assert_close(moments.last.felt.sum, expected.sum, rtol=1e-5, atol=1e-6)


def test_onto_of_all_directions_is_nothing() -> None:
    directions = Directions(point(torch.randn(1, 6, 9, 9), torch.eye(6)), 1)
    assert directions.onto(6) is None
    kept = directions.onto(5)
    assert isinstance(kept, Onto)
