"""Keeps the clock of an acquisition: reads the camera's now and then, and says how good it is."""

import math
import time

from daemon import log
from daemon.camera.clock import ExposureClock, Quality
from daemon.camera.device import Camera

_FIRST = 5  # readings at the start; then one each second
_SECONDS = 1.0


class Timekeeper:
    """Its methods raise ``CAMERA_ERRORS`` where the camera does not answer."""

    def __init__(self, camera: Camera, transfer_ms: float) -> None:
        """``transfer_ms`` is the least time from exposure to reception."""
        self._camera = camera
        self._transfer_ns = round(transfer_ms * 1e6)
        self._told: Quality | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all readings: the camera was away, and may have begun anew itself."""
        self._clock = ExposureClock(self._transfer_ns, _warn)
        self.due = 0.0  # when the clock is to be read next, time.monotonic

    def start(self) -> None:
        """Read the camera's clock before frames come."""
        for _ in range(_FIRST):
            self.read()
        if self._clock.quality is Quality.LATCHED:
            self._tell()

    def read(self) -> None:
        latch = self._camera.latch()
        if latch is None:
            self.due = math.inf  # it has none
        else:
            self._clock.latch(latch)
            self.due = time.monotonic() + _SECONDS

    def exposed_ns(self, device_ns: int | None, received_ns: int) -> int:
        """Give the time of exposure (CLOCK_MONOTONIC), never after ``received_ns``."""
        exposed = self._clock.exposed_ns(device_ns, received_ns)
        if self._told is not self._clock.quality:
            self._tell()
        return exposed

    def _tell(self) -> None:
        self._told = self._clock.quality
        log.get("camera").info("exposure times", quality=self._told.value)


def _warn(text: str) -> None:
    log.get("camera").warning("exposure times", why=text)
