"""Frames that are shown to a calibration, whatever they come from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from models.pixel_format import PixelFormat
from models.pixels import RawFrame


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame, as the camera sent it."""

    name: str  # of its file, or of the part
    digest: str  # ``frame_digest``: names a frame whatever its order
    part: str  # frames with the same are of one part
    pixels: RawFrame  # (H, W) or (H, W, channels), as the pixel format says
    pixel_format: PixelFormat  # RGB8 for files
    path: Path | None = None  # of its file, if it has one

    @classmethod
    def of(
        cls,
        name: str,
        part: str,
        pixels: RawFrame,
        pixel_format: PixelFormat,
        path: Path | None = None,
    ) -> "Shown":
        """Show a frame with its digest."""
        return cls(name, frame_digest(pixels, pixel_format), part, pixels, pixel_format, path)


class FrameSource(Protocol):
    """Where good frames come from. Iterated once; raises ``InputError`` where it cannot go on."""

    @property
    def total(self) -> int | None:
        """Give how many frames it will show at most; None if that is not known."""

    def __iter__(self) -> Iterator[Shown]: ...


def frame_digest(pixels: RawFrame, pixel_format: PixelFormat) -> str:
    """Give the SHA-256 of a frame's pixels, shape and pixel format, 64 hex digits."""
    seen = hashlib.sha256(f"{pixel_format} {pixels.shape}".encode())
    seen.update(np.ascontiguousarray(pixels).data)
    return seen.hexdigest()
