"""Patch description networks (thesis tables 5.2 and 5.3): each output cell sees 33 x 33 pixels.

The layers are plain ``nn.Sequential``, so that published EfficientAD teachers (keys ``0.weight``,
``3.weight``, ...) load as they are.
"""

from enum import StrEnum

from torch import nn


class PdnSize(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"


#: Channels of teacher, autoencoder, and of each half of the student (thesis 4.3).
CHANNELS = 384


def pdn(size: PdnSize, channels: int = CHANNELS, *, padding: bool = False) -> nn.Sequential:
    """Build a teacher, or a student when ``channels`` is twice the teacher's.

    Maps (N, 3, H, W) to (N, channels, h, w) at a stride of 4. Without padding (detection) a
    256 x 256 tile gives 56 x 56 cells; with it (distillation) 64 x 64, whose cells 4 to 59 are
    the same.
    """
    p = int(padding)
    if size is PdnSize.SMALL:
        return nn.Sequential(
            nn.Conv2d(3, 128, 4, padding=3 * p),
            nn.ReLU(inplace=True),
            nn.AvgPool2d(2, 2, padding=p),
            nn.Conv2d(128, 256, 4, padding=3 * p),
            nn.ReLU(inplace=True),
            nn.AvgPool2d(2, 2, padding=p),
            nn.Conv2d(256, 256, 3, padding=p),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, channels, 4),
        )
    return nn.Sequential(
        nn.Conv2d(3, 256, 4, padding=3 * p),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2, 2, padding=p),
        nn.Conv2d(256, 512, 4, padding=3 * p),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2, 2, padding=p),
        nn.Conv2d(512, 512, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(512, 512, 3, padding=p),
        nn.ReLU(inplace=True),
        nn.Conv2d(512, channels, 4),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1),
    )
