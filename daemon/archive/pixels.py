"""Frames as PNG files, losslessly: the values that the sensor gave, and back to the same bytes.

Mono and Bayer are grey: a mosaic stays one, Mono10 and Mono12 keep their values in 16 bits. Colours
are stored as a viewer expects them, whatever their order in memory.

PNG is written here, in bands: OpenCV's encoder takes as long (tests/bench/archive_bench.py), but
copies its result with Python's global lock held, milliseconds in which the line stands still.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from models.pixel_format import PixelFormat
from models.pixels import RawFrame

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _RGBA = 0, 2, 6  # colour types
_COLOUR_TYPES = {1: _GREY, 3: _RGB, 4: _RGBA}  # by channels
_BAND = 1 << 19  # bytes of pixels
_SUB = 1  # filter of each row: the difference to the pixel on the left
#: What OpenCV gives, to what lies in memory.
_SWAPS = {PixelFormat.RGB8: cv2.COLOR_BGR2RGB, PixelFormat.RGBA8: cv2.COLOR_BGRA2RGBA}


def to_png(pixels: RawFrame, pixel_format: PixelFormat) -> Iterator[bytes]:
    """Give a frame, shaped as its format says, as a PNG file's content, piece by piece."""
    height, width = pixels.shape[:2]
    depth = 8 * pixel_format.dtype.itemsize
    kind = _COLOUR_TYPES[pixel_format.channels]
    yield _SIGNATURE
    yield from _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    # Run lengths alone: on a sensor's noise level 1 finds nothing else, in half the time.
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    rows = max(1, _BAND // (pixels.nbytes // height))
    for top in range(0, height, rows):
        band = pixels[top : top + rows]
        packed = packer.compress(_filtered(band, pixel_format).data)
        if packed:
            yield from _chunk(b"IDAT", packed)
    yield from _chunk(b"IDAT", packer.flush())
    yield from _chunk(b"IEND", b"")


def _filtered(band: RawFrame, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """Give rows of pixels as PNG packs them: big-endian, each a filter's number and its bytes."""
    if pixel_format is PixelFormat.BGR8:
        band = band[..., ::-1]
    ordered = np.ascontiguousarray(band, dtype=band.dtype.newbyteorder(">"))
    values = ordered.view(np.uint8).reshape(len(band), -1)
    step = pixel_format.bytes_per_pixel
    rows = np.empty((len(values), values.shape[1] + 1), np.uint8)
    rows[:, 0] = _SUB
    rows[:, 1 : 1 + step] = values[:, :step]
    np.subtract(values[:, step:], values[:, :-step], out=rows[:, 1 + step :])
    return rows


def _chunk(name: bytes, content: bytes) -> tuple[bytes, bytes, bytes]:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name, content, struct.pack(">I", check)


def from_png(content: bytes, pixel_format: PixelFormat) -> RawFrame | None:
    """Give the frame that ``to_png`` was given; None if this is no such PNG."""
    data = np.frombuffer(content, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        return None
    if image.dtype != pixel_format.dtype or image.shape != pixel_format.shape(*image.shape[:2]):
        return None
    swap = _SWAPS.get(pixel_format)
    frame = image if swap is None else cv2.cvtColor(image, swap)
    if frame.dtype == np.uint8:
        return np.asarray(frame, dtype=np.uint8)
    return np.asarray(frame, dtype=np.uint16)


def digest(pixels: RawFrame) -> str:
    """Give the SHA-256 of a frame's bytes as they lie in memory, 64 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
