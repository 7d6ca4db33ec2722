"""The pixel formats that effad inspects; apart from torch, which a camera process does not load."""

from enum import StrEnum

import numpy as np


class PixelFormat(StrEnum):
    """Names of the GenICam Pixel Format Naming Convention that effad inspects."""

    MONO8 = "Mono8"
    MONO10 = "Mono10"  # unpacked: two bytes a pixel
    MONO12 = "Mono12"
    BAYER_RG8 = "BayerRG8"
    BAYER_GR8 = "BayerGR8"
    BAYER_GB8 = "BayerGB8"
    BAYER_BG8 = "BayerBG8"
    RGB8 = "RGB8"
    BGR8 = "BGR8"
    RGBA8 = "RGBa8"

    @property
    def code(self) -> int:
        """Give the format's number in the convention (PFNC 2.4)."""
        return _CODES[self]

    @classmethod
    def of(cls, code: int) -> "PixelFormat | None":
        """Give the format of a number; None if it is not one that effad inspects."""
        return next((name for name, value in _CODES.items() if value == code), None)

    @property
    def bits(self) -> int:
        """Give the significant bits of a value."""
        return {"Mono10": 10, "Mono12": 12}.get(self.value, 8)

    @property
    def channels(self) -> int:
        return {"RGB8": 3, "BGR8": 3, "RGBa8": 4}.get(self.value, 1)

    @property
    def bytes_per_pixel(self) -> int:
        return self.channels * self.dtype.itemsize

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        return np.dtype(np.uint8) if self.bits == 8 else np.dtype(np.uint16)

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """Give the shape of a frame's array: (H, W), or (H, W, channels)."""
        return (height, width) if self.channels == 1 else (height, width, self.channels)

    def size(self, height: int, width: int) -> int:
        """Give the bytes of a frame."""
        return height * width * self.bytes_per_pixel


_CODES = {
    PixelFormat.MONO8: 0x01080001,
    PixelFormat.MONO10: 0x01100003,
    PixelFormat.MONO12: 0x01100005,
    PixelFormat.BAYER_RG8: 0x01080009,
    PixelFormat.BAYER_GR8: 0x01080008,
    PixelFormat.BAYER_GB8: 0x0108000A,
    PixelFormat.BAYER_BG8: 0x0108000B,
    PixelFormat.RGB8: 0x02180014,
    PixelFormat.BGR8: 0x02180015,
    PixelFormat.RGBA8: 0x02200016,
}
