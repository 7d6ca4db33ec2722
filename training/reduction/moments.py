"""What a network's layers see, and how much of it its maps feel: second moments of channels."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from models.precision import autocast


@dataclass
class Moment:
    """Sums x x^T over the places of maps; float64, on the CPU."""

    channels: int
    places: float = 0.0  # that were added, by weight
    sum: Tensor = field(init=False)  # (channels, channels)

    def __post_init__(self) -> None:
        self.sum = torch.zeros(self.channels, self.channels, dtype=torch.float64)

    def add(self, values: Tensor, weight: float = 1.0) -> None:
        """Take (N, channels, h, w)."""
        rows = values.detach().movedim(1, 0).flatten(1).float()
        with autocast(rows.device.type, enabled=False):  # in bf16 small directions are noise
            self.sum += weight * (rows @ rows.T).double().cpu()
        self.places += weight * rows.shape[1]

    def mean(self) -> Tensor:
        return self.sum / max(self.places, 1.0)

    def relative(self) -> Tensor:
        """Give it with a trace of one."""
        return self.sum / self.sum.trace().clamp(min=torch.finfo(torch.float64).tiny)


class Point:
    """A place between two layers: the moment of its values, and that of what the maps feel.

    ``felt`` is of the gradients of what the maps are the squares of, for random signs: on average
    J^T J, with J the derivative of all those by the values of one place.
    """

    def __init__(self, channels: int) -> None:
        self.values = Moment(channels)
        self.felt = Moment(channels)

    def feel(self, tensor: Tensor, weight: float) -> None:
        """Add the gradient of a tensor, (N, channels, h, w), once it has been computed."""
        tensor.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: self.felt.add(gradient, weight)
        )


class LayerMoments:
    """The points before and behind a convolution."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.inputs = Point(layer.in_channels)
        self.outputs = Point(layer.out_channels)


class NetMoments:
    """The points around every convolution of a network but the first, which reads pixels.

    ``at``: by the layer's place in the network.
    """

    def __init__(self, net: nn.Sequential) -> None:
        self._net = net
        self.at = {
            place: LayerMoments(layer)
            for place, layer in list(enumerate(net))[1:]
            if isinstance(layer, nn.Conv2d)
        }

    @property
    def last(self) -> Point:
        """The point before the last layer."""
        return self.at[max(self.at)].inputs

    @contextmanager
    def watching(self, weight: float) -> Iterator[None]:
        """Add what the layers see meanwhile, and the gradients that come back later."""
        with ExitStack() as stack:
            for place, moments in self.at.items():
                hook = self._net[place].register_forward_hook(partial(_saw, moments, weight))
                stack.callback(hook.remove)
                # Where a ReLU is shut nothing is felt of what lies before it, but an error there
                # may open it: what counts is felt behind.
                behind = self._net[min(place + 1, len(self._net) - 1)]
                hook = behind.register_forward_hook(partial(_passed, moments, weight))
                stack.callback(hook.remove)
            yield


def _saw(
    moments: LayerMoments, weight: float, _: nn.Module, given: tuple[Tensor], found: Tensor
) -> None:
    moments.inputs.values.add(given[0], weight)
    moments.inputs.feel(given[0], weight)
    moments.outputs.values.add(found, weight)


def _passed(moments: LayerMoments, weight: float, _: nn.Module, __: object, found: Tensor) -> None:
    moments.outputs.feel(found, weight)
