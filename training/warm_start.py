"""Start from a bundle of another product: "minimal fine-tuning" (thesis, chapter 1)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import JsonValue
from torch import nn

from models import bundle as bundles
from models.bundle import Bundle
from models.detector import Detector, Teacher
from models.errors import InputError


@dataclass(frozen=True)
class WarmStart:
    """A bundle whose student and autoencoder a training starts from."""

    bundle: Bundle

    @classmethod
    def read(cls, path: Path, teacher: Teacher, scales: tuple[str, ...]) -> "WarmStart":
        """Read a bundle.

        Raises ``InputError`` if it was trained with another teacher, or lacks a scale.
        """
        bundle = bundles.load(path)
        missing = [scale for scale in scales if scale not in bundle.detectors]
        if missing:
            raise InputError(
                f"{path}: has no scale {missing[0]}, but {', '.join(bundle.detectors)};"
                " start from a bundle with the scales that are to be trained"
            )
        its = next(iter(bundle.detectors.values())).teacher.net.state_dict()
        mine = teacher.net.state_dict()
        if its.keys() != mine.keys() or any(
            its[key].shape != mine[key].shape or not torch.equal(its[key], mine[key].half().float())
            for key in its
        ):
            raise InputError(
                f"{path}: was trained with another teacher; name that one by --teacher,"
                " or start from a bundle of this teacher"
            )
        return cls(bundle)

    @property
    def provenance(self) -> dict[str, JsonValue]:
        return {"bundle": self.bundle.path.name, "sha256": self.bundle.sha256}

    def apply(self, detector: Detector, scale: str) -> None:
        """Take over the weights of a scale into a detector whose teacher's statistics are set.

        What the bundle's networks predict are features normalized by its own statistics. Their
        last convolution is changed so that they predict the same features, normalized by the new.
        """
        start = self.bundle.detectors[scale]
        detector.student.load_state_dict(start.student.state_dict())
        detector.autoencoder.load_state_dict(start.autoencoder.state_dict())
        old, new = start.teacher, detector.teacher
        gain = old.std.to(new.std.device) / new.std
        offset = (old.mean.to(new.mean.device) - new.mean) / new.std
        _rescale(detector.student, gain.repeat(2), offset.repeat(2))
        _rescale(detector.autoencoder, gain, offset)


def _rescale(net: nn.Module, gain: torch.Tensor, offset: torch.Tensor) -> None:
    """Let a network give gain x + offset, by channel, where it gave x."""
    *_, last = net.children()
    with torch.no_grad():
        last.get_parameter("weight").mul_(gain.view(-1, 1, 1, 1))
        last.get_parameter("bias").mul_(gain).add_(offset)
