"""A detector whose layers keep what its maps need, as training made it (``training.reduction``).

A trained network's features lie along few directions, and its layers can be told as products of
thinner ones (Tucker decompositions; Kim et al., 2016). A cell of a map, the mean of a difference's
squares over the channels, is a length, which no rotation changes: its last layers give the first
principal axes (Pearson, 1901) of that difference alone. A fourth of the operations are left.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.autoencoder import autoencoder
from models.detector import InputNorm, Networks
from models.pdn import PdnSize, pdn


class Reduced(Networks):
    """Thinner layers that give nearly the maps of a detector.

    Teacher and student end in one layer over the features of both, ``difference``, into which the
    teacher's statistics are folded; the sum of its squares is the local map. ``follows``, of the
    student's features, and ``predicted``, of the autoencoder's, differ by the global map.
    """

    def __init__(
        self,
        teacher: nn.Sequential,
        student: nn.Sequential,
        autoencoder: nn.Sequential,
        difference: nn.Module,
        follows: nn.Module,
        predicted: nn.Module,
    ) -> None:
        super().__init__()
        self.norm = InputNorm()
        self.teacher, self.student, self.autoencoder = teacher, student, autoencoder
        self.difference, self.follows, self.predicted = difference, follows, predicted

    def against_teacher(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.student(images)
        both = torch.cat([self.teacher(images), features], dim=1)
        difference: Tensor = self.difference(both).float()
        return difference.square().sum(dim=1), self.follows(features)

    def against_autoencoder(self, images: Tensor, follows: Tensor) -> Tensor:
        predicted: Tensor = self.predicted(self.autoencoder(images)).float()
        return (predicted - follows.float()).square().sum(dim=1)


def reduced_like(size: PdnSize, weights: Mapping[str, Tensor]) -> Reduced:
    """Build a reduced detector of the layers that weights, by their names and shapes, are of.

    Raises ``KeyError`` where a layer has none.
    """
    trunk, coder = pdn(size), autoencoder()

    def net(of: str, like: nn.Sequential) -> nn.Sequential:
        found = [
            _layer(weights, f"{of}.{place}", layer) if isinstance(layer, nn.Conv2d) else layer
            for place, layer in enumerate(like[:-1])
        ]
        if f"{of}.{len(found)}.weight" in weights:  # onto what the last layers read
            found.append(_layer(weights, f"{of}.{len(found)}"))
        return nn.Sequential(*found)

    return Reduced(
        teacher=net("teacher", trunk),
        student=net("student", trunk),
        autoencoder=net("autoencoder", coder),
        difference=_layer(weights, "difference"),
        follows=_layer(weights, "follows"),
        predicted=_layer(weights, "predicted", coder[-1]),
    )


def _layer(weights: Mapping[str, Tensor], name: str, like: nn.Module | None = None) -> nn.Module:
    """Build one convolution, stepped and padded as another, or the thinner ones in its place."""
    if f"{name}.weight" not in weights:
        parts: list[nn.Module] = []
        while f"{name}.{len(parts)}.weight" in weights:
            parts.append(_layer(weights, f"{name}.{len(parts)}"))
        if not parts:
            raise KeyError(f"{name}.weight")
        return nn.Sequential(*parts)
    outputs, inputs, height, width = weights[f"{name}.weight"].shape
    made = nn.Conv2d(inputs, outputs, (height, width), bias=f"{name}.bias" in weights)
    if isinstance(like, nn.Conv2d):
        made.stride, made.padding = like.stride, like.padding
    return made
