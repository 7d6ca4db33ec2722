"""The autoencoder (thesis table 5.4): the teacher's features through a 64-value bottleneck."""

from itertools import pairwise

from torch import nn

from models.pdn import CHANNELS

#: Sides of the feature maps that the bilinear layers 1 to 6 resize to.
_UPSAMPLED = (3, 8, 15, 32, 63, 127)
_ENCODER = (3, 32, 32, 64, 64, 64)
_DROPOUT = 0.2


def autoencoder(channels: int = CHANNELS, *, padding: bool = False) -> nn.Sequential:
    """Build the autoencoder: (N, 3, 256, 256) to (N, channels, s, s).

    s is 56 without padding and 64 with it, as the PDN's maps are. The input is always 256 x 256:
    EncConv-6 closes the bottleneck at that size alone.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(_ENCODER):
        layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
    layers.append(nn.Conv2d(64, 64, 8))
    for side in _UPSAMPLED:
        layers += [
            nn.Upsample(size=(side, side), mode="bilinear", align_corners=False),
            nn.Conv2d(64, 64, 4, padding=2),
            nn.ReLU(inplace=True),
            nn.Dropout(_DROPOUT),
        ]
    side = 64 if padding else 56
    layers += [
        nn.Upsample(size=(side, side), mode="bilinear", align_corners=False),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, channels, 3, padding=1),
    ]
    return nn.Sequential(*layers)
