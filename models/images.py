"""Images on disk, and what an image looks like as a whole."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import InputError

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find_images(folder: Path) -> list[Path]:
    """List the images directly in a folder, sorted by name.

    Raises ``InputError`` if the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name a folder of images")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no images here; allowed are {' '.join(SUFFIXES)}")
    return paths


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) RGB; raises ``InputError`` if it cannot be read.

    Grey is repeated, alpha left out. Of 16 bits the upper 8 are taken, so that the full range is
    kept; a camera's 12 bits stored unscaled in 16 thus come out black, and ``effad-train data
    check`` says so. Other depths, such as floating-point TIFF, are refused.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    # At its own depth: OpenCV rounds 16 bits to 8 in some formats and cuts them off in others.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise InputError(f"{path}: not a readable image; remove it or save it again")
    if image.dtype == np.uint16:
        image = image.view(np.uint16) >> 8
    elif image.dtype != np.uint8:
        raise InputError(f"{path}: {image.dtype} a channel; save it with 8 or 16 bits")
    return image.astype(np.uint8, copy=False)


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1).float().div_(255)


def luma(rgb: Tensor) -> Tensor:
    """(3, H, W) in [0, 1] to (H, W)."""
    y = rgb[0] * LUMA[0]
    for channel, weight in zip(rgb[1:], LUMA[1:], strict=True):
        y.add_(channel, alpha=weight)
    return y


class Appearance(NamedTuple):
    """What a frame looks like as a whole."""

    brightness: float  # mean luma, 0 to 1
    contrast: float  # standard deviation of the luma, 0 to 0.5
    sharpness: float  # variance of the luma's 4-neighbour Laplacian


def appearance(rgb: Tensor) -> Appearance:
    """Give ``brightness``, ``contrast`` and ``sharpness`` of (3, H, W) at once."""
    y = luma(rgb)
    return Appearance(float(y.mean()), float(y.std(correction=0)), _sharpness(y))


def brightness(rgb: Tensor) -> float:
    """Give the mean luma of (3, H, W), 0 to 1."""
    return float(luma(rgb).mean())


def contrast(rgb: Tensor) -> float:
    """Give the standard deviation of the luma of (3, H, W), 0 to 0.5."""
    return float(luma(rgb).std(correction=0))


def image_sharpness(image: NDArray[np.uint8]) -> float:
    """Give ``sharpness`` of (H, W, 3) RGB as read, to 1e-4 of it and 20 times as quick."""
    if min(image.shape[:2]) < 3:
        return 0.0
    weights = np.array([LUMA], np.float32) / 255
    laplacian = cv2.Laplacian(cv2.transform(image.astype(np.float32), weights), cv2.CV_32F)
    return float(cv2.meanStdDev(laplacian[1:-1, 1:-1])[1][0, 0]) ** 2


def sharpness(rgb: Tensor) -> float:
    """Give the variance of the luma's 4-neighbour Laplacian over (3, H, W), 0 if it is tiny."""
    return _sharpness(luma(rgb))


def _sharpness(y: Tensor) -> float:
    if min(y.shape) < 3:
        return 0.0
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * y[1:-1, 1:-1]
    return float(laplacian.var(correction=0))
