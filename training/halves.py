"""A student's two halves, each computed without the other, and L_hard from few of its cells."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training import losses


@dataclass(frozen=True)
class Half:
    """Half of a student's channels: what it shares with the other, and a last convolution."""

    trunk: nn.Sequential
    weight: Tensor  # (C, C', k, k)
    bias: Tensor  # (C,)

    def __call__(self, images: Tensor) -> Tensor:
        """Give features (N, C, h, w) float32."""
        return functional.conv2d(self.trunk(images), self.weight, self.bias).float()

    def hard(self, images: Tensor, teacher: Tensor, quantile: float) -> Tensor:
        """Give L_hard (eq. 4.2) of images, for teacher's features (N, C, h, w).

        Elements below the quantile have no gradient. On a CPU the last convolution is therefore
        differentiated at the cells of the others alone: a twentieth of a step is saved, and the
        result is the same.
        """
        cells, channels = teacher.numel() // teacher.shape[1], teacher.shape[1]
        kept = losses.hard_count(teacher.numel(), quantile)
        if images.device.type != "cpu" or kept > cells:
            return losses.hard(teacher, self(images), quantile)
        hidden = self.trunk(images)
        with torch.no_grad():
            features = functional.conv2d(hidden, self.weight, self.bias).float()
            squared = (teacher - features).square().permute(0, 2, 3, 1).reshape(cells, channels)
            hardest = _largest(squared, kept)
            at, which = torch.unique(hardest // channels, return_inverse=True)
        student = self._at(hidden, at, features.shape)[which, hardest % channels]
        return (teacher.permute(0, 2, 3, 1).reshape(-1)[hardest] - student).square().mean()

    def _at(self, hidden: Tensor, cells: Tensor, shape: torch.Size) -> Tensor:
        """Give the features of some cells, numbered image by image and row by row: (m, C)."""
        (_, _, rows, columns), side = shape, self.weight.shape[-1]
        _, _, height, width = hidden.shape
        image, row, column = (
            cells // (rows * columns),
            cells // columns % rows,
            cells % columns,
        )
        first = (image * height + row) * width + column
        steps = (torch.arange(side)[:, None] * width + torch.arange(side)).flatten()
        flat = hidden.permute(0, 2, 3, 1).reshape(-1, hidden.shape[1])
        seen = flat.index_select(0, (first[:, None] + steps).flatten()).view(len(cells), -1)
        weight = self.weight.permute(0, 2, 3, 1).reshape(len(self.weight), -1)
        return functional.linear(seen, weight, self.bias).float()


def _largest(values: Tensor, count: int) -> Tensor:
    """Give the flat places of the largest values of (rows, columns), no more than there are rows.

    As many rows hold a value that is no less than the count-th largest of the rows' maxima: no
    value below that can be among the largest, which leaves few to sort.
    """
    limit = torch.topk(values.amax(dim=1), count).values[-1]
    flat = values.flatten()
    few = (flat >= limit).nonzero().flatten()
    return few[torch.topk(flat[few], count, sorted=False).indices]


def halves(student: nn.Sequential) -> tuple[Half, Half]:
    """Give what follows the teacher, and what follows the autoencoder.

    Each loss needs one of them for its image; the last convolution of the other half, a fifth of
    the work, is left out.
    """
    trunk, last = student[:-1], student[-1]
    weights, biases = (last.get_parameter(name).chunk(2) for name in ("weight", "bias"))
    first, second = (Half(trunk, w, b) for w, b in zip(weights, biases, strict=True))
    return first, second
