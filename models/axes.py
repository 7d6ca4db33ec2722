"""The axes along which a map's channels differ, so that few of them make the map.

A cell of a map is the mean over the channels of the square of a difference: a length, which no
rotation of the channels changes. Turned onto the principal axes (Pearson 1901) of what the networks
see, it lies along few of them: the channels of a distilled backbone are far from independent. The
last layers, four tenths of all operations, then need to compute those alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.detector import Detector

#: Of a map's energy, that the axes must hold which are computed.
ENERGY = 0.97
#: Channels are left out by so many: what the processors' matrix units take at once.
_STEP = 32


class Turned(NamedTuple):
    """The first axes of a map."""

    axes: Tensor  # (channels, k), orthonormal columns
    share: float  # of the map's energy that lies along them, on average


class Axes(nn.Module):
    """The axes of both maps of a scale, by falling energy.

    Buffers: ``local`` and ``globally``, (channels, channels), a column each; ``local_share`` and
    ``global_share``, (channels,), what share of the energy lies along so many.
    """

    local: Tensor
    globally: Tensor
    local_share: Tensor
    global_share: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("local", "globally"):
            self.register_buffer(name, torch.eye(channels))
        for name in ("local_share", "global_share"):
            self.register_buffer(name, torch.linspace(0, 1, channels + 1)[1:])

    def first(self, of: str) -> Turned:
        """Give the axes that hold ``ENERGY`` of the map ``local`` or ``globally``."""
        axes = getattr(self, of)
        share = self.local_share if of == "local" else self.global_share
        needed = int((share < ENERGY).sum()) + 1
        count = min(-(-needed // _STEP) * _STEP, len(share))
        return Turned(axes[:, :count], float(share[count - 1]))


class _Energy:
    """Sums x x^T over cells, (channels, channels)."""

    def __init__(self, channels: int) -> None:
        self.sum = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, values: Tensor) -> None:
        """Take (N, channels, h, w)."""
        rows = values.movedim(1, 0).flatten(1).float()
        self.sum += (rows @ rows.T).double().cpu()

    def relative(self) -> Tensor:
        return self.sum / self.sum.trace().clamp(min=torch.finfo(torch.float64).tiny)


class AxesFinder:
    """Finds the axes of a detector's maps by tiles of good parts.

    What a defect adds is not known. It lies where the differences on good parts lie, or where the
    features do that the student has to follow: both count the same.
    """

    def __init__(self, detector: Detector) -> None:
        channels = detector.teacher.mean.numel()
        self._detector = detector
        self._local = (_Energy(channels), _Energy(channels))  # difference, feature
        self._global = (_Energy(channels), _Energy(channels))

    def add(self, tiles: Tensor) -> None:
        """Look at tiles, (N, 3, 256, 256) in [0, 1], on the detector's device."""
        detector = self._detector
        with torch.inference_mode():
            images = detector.norm(tiles)
            follows_teacher, follows_autoencoder = detector.student(images).float().chunk(2, dim=1)
            for (difference, feature), its, follows in (
                (self._local, detector.teacher(images), follows_teacher),
                (self._global, detector.autoencoder(images).float(), follows_autoencoder),
            ):
                difference.add(its - follows)
                feature.add(its)

    def axes(self) -> Axes:
        """Give the axes of what was added."""
        found = Axes(len(self._local[0].sum))
        for energies, axes, share in (
            (self._local, found.local, found.local_share),
            (self._global, found.globally, found.global_share),
        ):
            parts = [energy.relative() for energy in energies]
            turned = torch.linalg.eigh(sum(parts))[1].flip(1)
            along = torch.stack([torch.einsum("ck,cd,dk->k", turned, p, turned) for p in parts])
            axes.copy_(turned)
            share.copy_(along.cumsum(dim=1).clamp(max=1).min(dim=0).values)
        return found
