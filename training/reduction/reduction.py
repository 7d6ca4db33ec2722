"""What tiles tell of a detector's layers, and the thin detector that follows from it."""

import copy

import torch
from torch import Tensor, nn

from models.detector import Detector
from models.precision import autocast
from models.reduced import Reduced
from training.reduction.axes import find_axes
from training.reduction.factors import (
    Directions,
    Onto,
    convolution,
    pointwise,
    product,
    projected,
)
from training.reduction.moments import Moment, NetMoments, Point
from training.reduction.ranks import Choice

#: How much a tile of colours counts beside one of a part.
COLOURS = 0.1


class Reduction:
    """Learns by tiles what of a detector's layers its maps need; the detector must be frozen."""

    def __init__(self, detector: Detector) -> None:
        channels = detector.teacher.mean.numel()
        self._detector = detector
        self._tiles = 0.0  # by weight
        self._directions: dict[Point, Directions] = {}  # of what was seen so far
        self._teacher, self._student = (
            NetMoments(detector.teacher.net),
            NetMoments(detector.student),
        )
        self._local = (Moment(channels), Moment(channels))  # difference, feature
        self._global = (Moment(channels), Moment(channels))

    def add(self, tile: Tensor, random: torch.Generator) -> None:
        """Look at a tile of a good part, (1, 3, 256, 256) in [0, 1], on the detector's device.

        ``random`` draws signs, and lives on the CPU.
        """
        for (difference, feature), (its, follows) in zip(
            (self._local, self._global), self._look(tile, 1.0, random), strict=True
        ):
            difference.add(its - follows)
            feature.add(its)

    def add_colours(self, tile: Tensor, random: torch.Generator) -> None:
        """Look at a tile of what a defect may bring and good parts lack.

        Without any a layer would not see red on a product that is grey.
        """
        self._look(tile, COLOURS, random)

    def _look(
        self, tile: Tensor, weight: float, random: torch.Generator
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Add a tile to all points; give what the student follows, and how, for both maps."""
        detector, device = self._detector, tile.device.type
        images = detector.norm(tile).requires_grad_(True)
        with torch.no_grad(), autocast(device):
            predicted = detector.autoencoder(images).float()
        with self._teacher.watching(weight), self._student.watching(weight), autocast(device):
            follows = detector.student(images).float().chunk(2, dim=1)
            features = detector.teacher(images)
        local, globally = (features, follows[0]), (predicted, follows[1])
        (_signed(local, random) + _signed(globally, random)).backward()  # type: ignore[no-untyped-call]
        self._tiles += weight
        self._directions.clear()
        return local, globally

    def reduced(self, price: float, energy: float) -> Reduced:
        """Give the thin detector of which layers lose energy for operations, at a price.

        ``price``: of a multiplication in a tile, as a share of the maps' energy; ``energy``: what
        share of theirs the axes must hold that the last layers give.
        """
        detector = self._detector
        teacher, student, coder = detector.teacher, detector.student, detector.autoencoder
        if not isinstance(coder, nn.Sequential):
            raise TypeError("the autoencoder must be a sequence of layers")
        local, globally = find_axes(*self._local, energy), find_axes(*self._global, energy)
        its, follow, last = _last(teacher.net), _last(student), _last(coder)
        half = teacher.mean.numel()
        of_teacher = local.turned(its.weight / teacher.std.view(-1, 1, 1, 1))
        of_student = local.turned(-follow.weight[:half])
        follows = globally.turned(follow.weight[half:])
        bias = (_bias(its) - teacher.mean) / teacher.std - _bias(follow)[:half]
        from_teacher = self._end(self._teacher, of_teacher, price)
        from_student = self._end(self._student, torch.cat([of_student, follows]), price)
        both = torch.cat([_over(of_teacher, from_teacher), _over(of_student, from_student)], dim=1)
        follow_bias = globally.turned(_bias(follow)[half:])
        return Reduced(
            teacher=self._trunk(self._teacher, teacher.net, from_teacher, price),
            student=self._trunk(self._student, student, from_student, price),
            autoencoder=copy.deepcopy(coder[:-1]),
            difference=convolution(both, local.turned(bias)),
            follows=convolution(_over(follows, from_student), follow_bias),
            predicted=convolution(globally.turned(last.weight), globally.turned(_bias(last)), last),
        ).eval()

    def _end(self, moments: NetMoments, weight: Tensor, price: float) -> Onto | None:
        """Give what of a trunk's features the last layers, of such a weight, take."""
        directions = self._at(moments.last)
        places = moments.last.felt.places / self._tiles
        ranks = Choice(convolution(weight, None), directions, None, places).best(price)
        return directions.onto(ranks.inputs)

    def _at(self, point: Point) -> Directions:
        if point not in self._directions:
            self._directions[point] = Directions(point, self._tiles)
        return self._directions[point]

    def _trunk(
        self, moments: NetMoments, net: nn.Sequential, end: Onto | None, price: float
    ) -> nn.Sequential:
        """Give all of a network but its last layer, thin, to what the last layers take."""
        found: list[nn.Module] = []
        for place, layer in enumerate(net[:-1]):
            seen = moments.at.get(place)
            if seen is None or not isinstance(layer, nn.Conv2d):
                found.append(copy.deepcopy(layer))
                continue
            inputs, outputs = self._at(seen.inputs), self._at(seen.outputs)
            places = seen.outputs.felt.places / self._tiles
            ranks = Choice(layer, inputs, outputs, places).best(price)
            found.append(product(layer, inputs.onto(ranks.inputs), outputs.onto(ranks.outputs)))
        if end is not None:
            found.append(pointwise(end.down))
        return nn.Sequential(*found)


def _signed(pair: tuple[Tensor, Tensor], random: torch.Generator) -> Tensor:
    """Sum a map's differences with random signs, in units of the map's energy."""
    difference = pair[0] - pair[1]
    signs = torch.randint(0, 2, difference.shape, generator=random).to(difference) * 2 - 1
    energy = difference.detach().square().sum()
    return (signs * difference).sum() / energy.sqrt()


def _over(weight: Tensor, end: Onto | None) -> Tensor:
    return weight if end is None else projected(weight, end)


def _last(net: nn.Sequential) -> nn.Conv2d:
    last = net[-1]
    if not isinstance(last, nn.Conv2d):
        raise TypeError(f"the last layer must be a convolution, not {type(last).__name__}")
    return last


def _bias(layer: nn.Conv2d) -> Tensor:
    return layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias
