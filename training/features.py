"""The teacher's features of clean tiles, which are the same each epoch."""

import torch
from torch import Tensor

from models.detector import Detector
from models.precision import autocast
from training import device


class TeacherFeatures:
    """Computes them where they are not kept. All are rounded to fp16, kept or not, so that a run
    is the same bit for bit whatever was kept.

    They stay on the device, 2.4 MB a tile of 384 channels, up to ``room`` bytes. The first tiles
    seen are kept: in an order that visits each tile once an epoch, no other choice is better.
    """

    def __init__(self, detector: Detector, room: int | None = None) -> None:
        self._detector = detector
        self._room = device.room(detector.norm.mean.device) if room is None else room
        self._kept: dict[tuple[int, int, int], Tensor] = {}

    def of(self, key: tuple[int, int, int], image: Tensor) -> Tensor:
        """Give (C, h, w) float32 of a tile (3, H, W) that ``InputNorm`` has normalized."""
        features = self._kept.get(key)
        if features is None:
            features = self.compute(image[None])[0].half()
            size = features.numel() * features.element_size()
            if size <= self._room:
                self._kept[key] = features
                self._room -= size
        return features.float()

    def compute(self, images: Tensor) -> Tensor:
        """Give (N, C, h, w) float32 of images (N, 3, H, W) that are not kept."""
        with torch.no_grad(), autocast(images.device.type):
            features: Tensor = self._detector.teacher(images)
        return features
