"""A real line whose triggers come at a rate, and what it answers, for benchmarks."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.messages import Verdict
from daemon.simulator.parts import draw
from daemon.simulator.scene import Scene
from models.images import find_images, read_rgb
from models.recipe import LoadedRecipe
from tests.system.line import Line

SERIAL = "A1"
OUTSTANDING = 4  # triggers, where the line is to be kept busy


@dataclass(frozen=True)
class Told:
    verdict: Verdict
    latency_ms: float


class Paced:
    """A line whose triggers come at a rate; takes in its verdicts meanwhile."""

    def __init__(
        self,
        line: Line,
        scene: Scene,
        serials: Sequence[str] = (SERIAL,),
        outstanding: int = OUTSTANDING,
    ) -> None:
        self.line, self.scene = line, scene
        self._serials, self._outstanding = serials, outstanding
        self.told: list[Told] = []
        self.sent = 0

    def take(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            count = len(self.line.verdicts)
            self.line.take(left)
            now = time.time_ns()
            for verdict in self.line.verdicts[count:]:
                self.told.append(Told(verdict, (now - verdict.triggered_ns) / 1e6))

    def pulse(self) -> None:
        for serial in self._serials:
            self.scene.pulse(serial)
        self.sent += 1

    def settle(self) -> None:
        end = time.monotonic() + 60
        while len(self.told) < self.sent and time.monotonic() < end:
            self.take(0.05)

    def pace(self, rate_hz: float, until: "threading.Event | float") -> list[Told]:
        """Trigger at a rate for so many seconds, or until an event; give what came of it."""
        begun, first = time.monotonic(), len(self.told)
        following = begun
        while not _over(until, begun):
            self.pulse()
            following += 1 / rate_hz
            self.take(max(0.0, following - time.monotonic()))
        self.settle()
        return self.told[first:]

    def fastest(self, seconds: float) -> float:
        """Keep the line busy; give the verdicts a second."""
        begun, first = time.monotonic(), len(self.told)
        while time.monotonic() < begun + seconds:
            while self.sent - len(self.told) < self._outstanding:
                self.pulse()
            self.take(0.001)
        rate = (len(self.told) - first) / (time.monotonic() - begun)
        self.settle()
        return rate


def _over(until: "threading.Event | float", begun: float) -> bool:
    if isinstance(until, threading.Event):
        return until.is_set()
    return time.monotonic() > begun + until


def images(given: LoadedRecipe, folder: Path | None) -> list[NDArray[np.uint8]]:
    size = given.bundle.manifest.input
    if folder is None:
        drawn = [draw(n, size=min(size.height, size.width)).image for n in range(8)]
    else:
        drawn = [read_rgb(path) for path in find_images(folder)[:8]]
    shape = (size.width, size.height)
    return [cv2.resize(image, shape).astype(np.uint8) for image in drawn]
