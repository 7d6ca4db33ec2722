"""The PDN is the thesis' tables 5.2 and 5.3, and a cell sees 33 x 33 pixels."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from models.pdn import PdnSize, pdn

#: Layer, stride, kernel, kernels, padding, activation.
TABLE_5_2 = """
Conv-1     1 4 128 3 ReLU
AvgPool-1  2 2 128 1 -
Conv-2     1 4 256 3 ReLU
AvgPool-2  2 2 256 1 -
Conv-3     1 3 256 1 ReLU
Conv-4     1 4 384 0 -
"""
TABLE_5_3 = """
Conv-1     1 4 256 3 ReLU
AvgPool-1  2 2 256 1 -
Conv-2     1 4 512 3 ReLU
AvgPool-2  2 2 512 1 -
Conv-3     1 1 512 0 ReLU
Conv-4     1 3 512 1 ReLU
Conv-5     1 4 384 0 ReLU
Conv-6     1 1 384 0 -
"""
TABLES = {PdnSize.SMALL: TABLE_5_2, PdnSize.MEDIUM: TABLE_5_3}


def described(net: nn.Sequential) -> list[tuple[str, int, int, int, int, str]]:
    """A network as rows of the tables."""
    rows: list[tuple[str, int, int, int, int, str]] = []
    layers = [*net, None]
    kernels = 3
    for layer, after in pairwise(layers):
        activation = "ReLU" if isinstance(after, nn.ReLU) else "-"
        if isinstance(layer, nn.Conv2d):
            assert layer.in_channels == kernels
            assert layer.dilation == (1, 1)
            assert layer.groups == 1
            assert layer.bias is not None
            kernels = layer.out_channels
            (stride, _), (kernel, _) = layer.stride, layer.kernel_size
            padding = layer.padding[0]
            assert isinstance(padding, int)
            assert layer.padding == (padding, padding)
            rows.append(("Conv", stride, kernel, kernels, padding, activation))
        elif isinstance(layer, nn.AvgPool2d):
            sizes = layer.stride, layer.kernel_size, kernels, layer.padding
            rows.append(("AvgPool", *sizes, activation))  # type: ignore[arg-type]
            assert layer.count_include_pad  # padded with zeros, as the tables' note says
        else:
            assert isinstance(layer, nn.ReLU)
    return rows


def table(text: str, last: int, padding: int) -> list[tuple[str, int, int, int, int, str]]:
    """A table's rows, with ``last`` kernels where the teacher has 384."""
    rows = []
    for line in text.split("\n")[1:-1]:
        name, stride, kernel, kernels, pad, activation = line.split()
        count = last if kernels == "384" else int(kernels)
        sizes = int(stride), int(kernel), count, int(pad) * padding
        rows.append((name.split("-")[0], *sizes, activation))
    return rows


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("channels", [384, 768])
@pytest.mark.parametrize("size", PdnSize)
def test_layers_are_the_tables(size: PdnSize, channels: int, padding: bool) -> None:
    with torch.device("meta"):
        net = pdn(size, channels, padding=padding)
    assert described(net) == table(TABLES[size], channels, int(padding))


@pytest.mark.parametrize(
    ("size", "channels", "parameters"),
    [
        (PdnSize.SMALL, 384, 2_694_144),
        (PdnSize.SMALL, 768, 4_267_392),
        (PdnSize.MEDIUM, 384, 8_026_624),
        (PdnSize.MEDIUM, 768, 11_615_488),
    ],
)
def test_parameter_counts(size: PdnSize, channels: int, parameters: int) -> None:
    with torch.device("meta"):
        net = pdn(size, channels)
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize("size", PdnSize)
def test_padded_cells_4_to_59_are_the_unpadded_ones(size: PdnSize) -> None:
    torch.manual_seed(0)
    padded, plain = pdn(size, 8, padding=True), pdn(size, 8)
    plain.load_state_dict(padded.state_dict())
    image = torch.randn(1, 3, 256, 256)
    with torch.inference_mode():
        large, small = padded(image), plain(image)
    assert large.shape == (1, 8, 64, 64)
    assert small.shape == (1, 8, 56, 56)
    torch.testing.assert_close(large[..., 4:60, 4:60], small, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", PdnSize)
def test_a_cell_sees_33_pixels_from_four_times_its_number(size: PdnSize) -> None:
    """The gradient of cell (1, 2) over the image is zero outside rows 4 to 36, columns 8 to 40."""
    torch.manual_seed(0)
    net = pdn(size, 8)
    image = torch.randn(1, 3, 48, 48, requires_grad=True)
    features: Tensor = net(image)
    assert features.shape == (1, 8, 4, 4)
    (seen,) = torch.autograd.grad(features[0, :, 1, 2].abs().sum(), image)
    rows, columns = (seen[0].abs().sum(dim=(0, axis)).nonzero().flatten() for axis in (2, 1))
    assert rows.tolist() == list(range(4, 37))
    assert columns.tolist() == list(range(8, 41))


@pytest.mark.parametrize("size", PdnSize)
@pytest.mark.parametrize(("y", "x"), [(3, 20), (37, 20), (20, 7), (20, 41), (0, 0), (44, 44)])
def test_one_pixel_outside_changes_nothing(size: PdnSize, y: int, x: int) -> None:
    torch.manual_seed(0)
    net = pdn(size, 8)
    image = torch.randn(1, 3, 48, 48)
    changed = image.clone()
    changed[0, :, y, x] += 10
    with torch.inference_mode():
        before, after = net(image), net(changed)
    assert torch.equal(before[0, :, 1, 2], after[0, :, 1, 2])
    assert not torch.equal(before, after)
