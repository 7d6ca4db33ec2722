"""From a camera's clock to the host's: when a frame was exposed, in ns of CLOCK_MONOTONIC."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from daemon.camera.fit import UNIT, Line, below, through

_SECOND = 1_000_000_000
_STEEPEST = 500e-6  # two quartzes differ by less; a slope beyond is a slip of the fit
_STEADY = 2 * _SECOND  # samples within less say too little of the drift
_QUICK = 10_000  # ns: a round trip so short leaves no doubt
_STEP = 100_000_000  # ns: what no drift explains within a moment
_ABSURD = 10 * _SECOND  # from exposure to reception
_AHEAD = 50_000_000  # ns that a mapping may lie after the reception without being a wrong one


class Quality(StrEnum):
    LATCHED = "latched"  # the camera's clock was read beside the host's
    FITTED = "fitted"  # from the frames that took least time to arrive
    RECEIVED = "received"  # the camera gives no time


@dataclass(frozen=True)
class Latch:
    """One reading of the camera's clock, and the host's before and after it (ns)."""

    before_ns: int
    device_ns: int
    after_ns: int

    @property
    def round_trip(self) -> int:
        return self.after_ns - self.before_ns


class LatchedClock:
    """A line through readings of the camera's clock; the quicker one was, the more it counts."""

    def __init__(self) -> None:
        self._latches: deque[Latch] = deque(maxlen=64)  # a minute of them
        self._line: Line | None = None

    def add(self, latch: Latch) -> None:
        """Take a reading in; one that the others contradict begins anew: the clock was set."""
        if self._contradicted(latch):
            self._latches.clear()
        self._latches.append(latch)
        points = [(one.device_ns, one.before_ns + one.round_trip // 2) for one in self._latches]
        weights = [(one.round_trip + _QUICK) ** -2.0 for one in self._latches]
        self._line = through(points, weights, _STEEPEST, _STEADY)

    def host_ns(self, device_ns: int) -> int | None:
        """Give the host's time for a device's; None before the first reading."""
        return None if self._line is None else self._line.at(device_ns)

    def _contradicted(self, latch: Latch) -> bool:
        if self._line is None:
            return False
        last = self._latches[-1]
        passed = latch.device_ns - last.device_ns
        error = abs(self._line.at(latch.device_ns) - (latch.before_ns + latch.round_trip // 2))
        slowest = max(one.round_trip for one in self._latches)
        doubt = (latch.round_trip + slowest) / 2 + _STEEPEST * abs(passed) + UNIT
        return passed <= 0 or error > doubt


class FittedClock:
    """A line below (device time, reception) of a minute's frames: what took least time.

    No frame is received before it was exposed, so the line is late by the least time of transfer.
    """

    def __init__(self) -> None:
        self._least: deque[tuple[int, int]] = deque(maxlen=64)  # a point each second
        self._second = -1
        self._line: Line | None = None
        self._newest = 0

    def host_ns(self, device_ns: int, received_ns: int) -> int:
        """Take a frame in, and give the host's time for the device's."""
        line = self._line
        if line is not None:
            early = line.at(device_ns) - received_ns
            if device_ns < self._newest or early > _STEP:  # the device's clock was set
                self._least.clear()
                line = self._line = None
                self._second = -1
            elif early > 0:
                line = self._line = line.lowered(early)
        self._newest = device_ns
        self._keep(device_ns, received_ns)
        line = self._line or below(list(self._least), _STEEPEST, _STEADY)
        self._line = line
        return line.at(device_ns)

    def _keep(self, device_ns: int, received_ns: int) -> None:
        second = received_ns // _SECOND
        if second != self._second:
            self._second = second
            self._least.append((device_ns, received_ns))
            self._line = None  # to be fitted again
        elif received_ns - device_ns < self._least[-1][1] - self._least[-1][0]:
            self._least[-1] = (device_ns, received_ns)


class ExposureClock:
    """Says when frames were exposed, as well as the camera lets us know."""

    def __init__(self, transfer_ns: int, warn: Callable[[str], None]) -> None:
        """``transfer_ns`` is the least time from exposure to reception."""
        self._transfer_ns = transfer_ns
        self._warn: Callable[[str], None] | None = warn  # of what is told once
        self._latched: LatchedClock | None = None
        self._fitted = FittedClock()
        self.quality = Quality.RECEIVED

    def latch(self, latch: Latch) -> None:
        """Take in a reading of the camera's clock."""
        self._latched = self._latched or LatchedClock()
        self._latched.add(latch)
        self.quality = Quality.LATCHED

    def exposed_ns(self, device_ns: int | None, received_ns: int) -> int:
        """Give the time of exposure, never after ``received_ns`` less the time of transfer."""
        latest = received_ns - self._transfer_ns
        if device_ns is None:
            return latest
        if self._latched is not None:
            mapped = self._latched.host_ns(device_ns)
        else:
            self.quality = Quality.FITTED
            mapped = self._fitted.host_ns(device_ns, received_ns) - self._transfer_ns
        if mapped is None or not received_ns - _ABSURD <= mapped <= received_ns + _AHEAD:
            self._absurd(device_ns, mapped, received_ns)
            return latest
        return min(mapped, latest)

    def _absurd(self, device_ns: int, mapped: int | None, received_ns: int) -> None:
        if self._warn is not None and mapped is not None:
            early = (received_ns - mapped) / 1e9
            self._warn(
                f"device time {device_ns} would be {early:.3f} s before the frame was received;"
                " taking the time of reception instead, here and wherever this is so"
            )
            self._warn = None
