"""A detector that computes the channels along the first axes alone (``models.axes``)."""

import torch
from torch import Tensor, nn

from models.axes import Axes, Turned
from models.detector import Detector, Networks


class Reduced(Networks):
    """A detector with last layers turned onto a map's axes.

    Teacher and student become one last layer over the features of both, which gives their
    difference; the teacher's statistics are folded into it. Shares the layers before with the
    detector. What the left out axes hold on average is made up for by a factor.
    """

    def __init__(self, detector: Detector, axes: Axes) -> None:
        super().__init__()
        self.norm = detector.norm
        teacher, student, autoencoder = detector.teacher, detector.student, detector.autoencoder
        if not isinstance(autoencoder, nn.Sequential):
            raise TypeError("the autoencoder must be a sequence of layers that ends in one")
        local, globally = axes.first("local"), axes.first("globally")
        half = teacher.mean.numel()
        its, follows = _last(teacher.net), _last(student)
        self.teacher, self.student = teacher.net[:-1], student[:-1]
        self.autoencoder = autoencoder[:-1]
        self.difference = _layer(
            torch.cat([its.weight / teacher.std.view(-1, 1, 1, 1), -follows.weight[:half]], dim=1),
            (_bias(its) - teacher.mean) / teacher.std - _bias(follows)[:half],
            local,
        )
        self.follows = _layer(follows.weight[half:], _bias(follows)[half:], globally)
        last = _last(autoencoder)
        self.predicted = _layer(last.weight, _bias(last), globally, last.padding)

    def against_teacher(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.student(images)
        both = torch.cat([self.teacher(images), features], dim=1)
        difference: Tensor = self.difference(both).float()
        return difference.square().sum(dim=1), self.follows(features)

    def against_autoencoder(self, images: Tensor, follows: Tensor) -> Tensor:
        predicted: Tensor = self.predicted(self.autoencoder(images)).float()
        return (predicted - follows.float()).square().sum(dim=1)


def _last(net: nn.Sequential) -> nn.Conv2d:
    last = net[-1]
    if not isinstance(last, nn.Conv2d):
        raise TypeError(f"the last layer must be a convolution, not {type(last).__name__}")
    return last


def _bias(layer: nn.Conv2d) -> Tensor:
    return layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias


def _layer(
    weight: Tensor, bias: Tensor, turned: Turned, padding: str | tuple[int, ...] = (0, 0)
) -> nn.Conv2d:
    """Give a layer of which the sum of squares is the mean of those of weight and bias."""
    axes = turned.axes.to(weight) / (turned.share * len(bias)) ** 0.5
    outputs, inputs, height, width = (turned.axes.shape[1], *weight.shape[1:])
    layer = nn.Conv2d(inputs, outputs, (height, width), padding=padding)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.copy_(torch.einsum("ck,c...->k...", axes, weight))
        layer.bias.copy_(axes.T @ bias)  # type: ignore[union-attr]
    return layer.requires_grad_(False)
