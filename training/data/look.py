"""What can be told of an image by looking at it once."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.images import image_sharpness, read_rgb

THUMBNAIL = 32  # pixels, a side
_GREY_TOLERANCE = 2  # levels of 255: a lossy format may part the channels of a grey image
_OPAQUE = (".jpg", ".jpeg", ".bmp")  # formats without alpha


@dataclass(frozen=True, eq=False)
class Look:
    """An image as read (RGB, 8 bits), and as stored."""

    path: Path
    height: int  # pixels
    width: int
    bits: int  # stored a channel
    peak: int  # highest value stored
    alpha: bool
    grey: bool  # one channel, or three that are equal
    mean: float  # of the grey levels, 0 to 255
    deviation: float  # of the grey levels
    sharpness: float  # models.images.sharpness
    digest: str  # of the pixels as read
    thumbnail: NDArray[np.float32]  # (THUMBNAIL ** 2,), mean 0, length 1; zeros if nothing shows

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        return self.height, self.width


def look(path: Path) -> Look:
    """Look at an image; raises ``InputError`` if it cannot be read."""
    stored = _as_stored(path)
    plain = stored is not None and stored.dtype == np.uint8 and stored.ndim == 3
    if stored is not None and plain and stored.shape[2] == 3:
        rgb = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    else:
        rgb = read_rgb(path)
    stored = rgb if stored is None else stored
    levels = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    mean, deviation = cv2.meanStdDev(levels)
    return Look(
        path=path,
        height=rgb.shape[0],
        width=rgb.shape[1],
        bits=stored.dtype.itemsize * 8,
        peak=int(stored.max()),
        alpha=stored.ndim == 3 and stored.shape[2] in (2, 4),
        grey=_is_grey(rgb),
        mean=float(mean[0, 0]),
        deviation=float(deviation[0, 0]),
        sharpness=image_sharpness(rgb),
        digest=hashlib.sha256(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest(),
        thumbnail=_thumbnail(levels),
    )


def look_at(paths: Sequence[Path]) -> Iterator[Look | InputError]:
    """Look at images, several at a time, in order: what is seen, or why it cannot be."""

    def attempt(path: Path) -> Look | InputError:
        try:
            return look(path)
        except InputError as error:
            return error

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(attempt, paths)


def _as_stored(path: Path) -> NDArray[np.unsignedinteger] | None:
    """Read an image's channels and depth as they are; None if it cannot be read.

    Turned upright where its EXIF says so, as ``read_rgb`` does.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    upright = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH  # without alpha
    opaque = path.suffix.lower() in _OPAQUE
    image = cv2.imdecode(data, upright if opaque else cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        return None
    return image.astype(image.dtype.type, copy=False)


def _is_grey(rgb: NDArray[np.uint8]) -> bool:
    red, green, blue = cv2.split(rgb)
    return all(cv2.norm(green, other, cv2.NORM_INF) <= _GREY_TOLERANCE for other in (red, blue))


def _thumbnail(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    side = (THUMBNAIL, THUMBNAIL)
    reduced = cv2.resize(levels.astype(np.float32), side, interpolation=cv2.INTER_AREA)
    small = reduced.astype(np.float32, copy=False).ravel()
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1e-3 * THUMBNAIL else np.zeros_like(small)
