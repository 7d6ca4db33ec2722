"""effad with networks of a few weights on tiles of 64 x 64 pixels, so that a frame costs 0.3 ms.

The published networks take 0.2 s a frame on two cores however few channels come out, since the
inner ones are the thesis'. All else is effad's own: bundle, recipe, calibration, engine, daemon.
``install`` must run before anything imports them; processes of their own do that.
"""

import argparse
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 64  # pixels, of frame and tile
CELLS = (SIDE - 32) // 4
CHANNELS = 2
IMAGES = 16


def install() -> None:
    """Put the small networks, and tiles of their size, in the place of the thesis'."""
    from torch import nn

    from models import autoencoder, geometry, pdn

    def small_pdn(
        size: pdn.PdnSize, channels: int = CHANNELS, *, padding: bool = False
    ) -> nn.Sequential:
        return nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, channels, 9))

    def small_autoencoder(channels: int = CHANNELS, *, padding: bool = False) -> nn.Sequential:
        return nn.Sequential(
            nn.AvgPool2d(16),
            nn.Upsample(size=(CELLS, CELLS), mode="bilinear", align_corners=False),
            nn.Conv2d(3, channels, 1),
        )

    geometry.TILE, geometry.CELLS = SIDE, CELLS
    pdn.CHANNELS, pdn.pdn = CHANNELS, small_pdn
    autoencoder.autoencoder = small_autoencoder


def images(seed: int = 0) -> list[NDArray[np.uint8]]:
    """Give what the camera shows, (64, 64) uint8: no two alike, every fourth with a defect."""
    random = np.random.default_rng(seed)
    shown = []
    for number in range(IMAGES):
        image = random.normal(90, 4, (SIDE, SIDE)) + number % 7
        if number % 4 == 3:
            image[20:40, 20:44] = 250
        shown.append(np.clip(image, 0, 255).astype(np.uint8))
    return shown


def make(folder: Path, deadline_ms: int) -> Path:
    """Train a bundle for a step and calibrate a recipe in a folder; give the recipe's."""
    import torch

    from calibration.main import main as calibrate
    from models.pdn import PdnSize, pdn
    from models.weights import write_weights
    from training.run import Run, run
    from training.settings import TrainSettings

    torch.set_num_threads(1)
    torch.manual_seed(1)
    good = folder / "good"
    good.mkdir(parents=True)
    for number, image in enumerate(images()):
        if number % 4 != 3:
            cv2.imwrite(str(good / f"{number:02}.png"), cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
    teacher = folder / "teacher.safetensors"
    write_weights(teacher, dict(pdn(PdnSize.SMALL).state_dict()), {"made": "at random"})
    train = TrainSettings(steps=1)
    run(Run(good, folder / "bundle", teacher, hold_out=0.5, train=train))
    given = ["--bundle", str(folder / "bundle"), "--images", str(good), "--threads", "1", "--yes"]
    given += ["--precision", "fp32", "--deadline-ms", str(deadline_ms), "--device", "cpu"]
    given += ["--backend", "torch"]
    if calibrate(["run", str(folder / "recipe"), *given]):
        raise SystemExit("the recipe could not be calibrated")
    return folder / "recipe"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--deadline-ms", type=int, default=2000)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    install()
    print(make(args.folder, args.deadline_ms))
    sys.exit(0)
