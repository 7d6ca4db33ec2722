"""What a driver's buffer says, read without trust."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from genicam import genapi, gentl
from numpy.typing import NDArray

from models.pixel_format import PixelFormat

#: The two hierarchies have no common base, and node access raises of both.
CAMERA_ERRORS = (genapi.GenericException, gentl.GenericException)
#: What a buffer with surprising contents makes harvesters raise.
BUFFER_ERRORS = (KeyError, TypeError, OverflowError, AttributeError, ValueError, *CAMERA_ERRORS)


@dataclass(frozen=True)
class Delivered:
    """A buffer that says it is complete, still the driver's: copy, then let it go.

    ``data`` are the bytes that the driver says it filled, a view that changes once it is let go.
    """

    frame_id: int
    width: int  # pixels
    height: int
    pixel_format: PixelFormat | None  # None: not one that effad inspects
    device_ns: int | None
    data: NDArray[np.uint8]
    let_go: Callable[[], None]


@dataclass(frozen=True)
class Incomplete:
    frame_id: int | None


class Monitor:
    """harvesters' monitor of new buffers, which also knows the FrameID of the newest one.

    harvesters queues an incomplete buffer again before it says so, and the driver may have filled
    it with a later frame by then: whose FrameID that of the lost one would be taken for.
    """

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self.frame_id: int | None = None

    def update_event_data(self, timeout_ms: int) -> None:
        """Wait for the next buffer; raises what harvesters handles."""
        self._monitor.update_event_data(timeout_ms)
        try:
            self.frame_id = int(self._monitor.buffer.frame_id)
        except BUFFER_ERRORS:
            self.frame_id = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._monitor, name)


def delivered(raw: Any) -> Delivered:
    filled = int(raw.size_filled)
    data = np.frombuffer(raw.raw_buffer, np.uint8)
    offset = _optional(raw, "image_offset") or 0
    return Delivered(
        frame_id=int(raw.frame_id),
        width=int(raw.width),
        height=int(raw.height),
        pixel_format=PixelFormat.of(int(raw.pixel_format)),
        device_ns=_optional(raw, "timestamp_ns") or None,
        data=data[offset : max(offset, min(filled, data.size))],
        let_go=lambda: raw.parent.queue_buffer(raw, False),  # True would fill it with zeros first
    )


def _optional(raw: Any, name: Literal["image_offset", "timestamp_ns"]) -> int | None:
    try:
        return int(getattr(raw, name))
    except CAMERA_ERRORS:
        return None
