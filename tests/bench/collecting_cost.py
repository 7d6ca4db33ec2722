"""What handing frames over costs the thread that publishes verdicts, a frame.

python tests/bench/collecting_cost.py
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests share their parts

from daemon.claims import Claim
from daemon.frames import Frame, Lease
from daemon.inspection.collector import Collector
from daemon.messages import Kind, Part, TriggerSource
from daemon.parts import Inspected, Settled, SettledView
from daemon.requests import CollectFrames
from models.calibration import AnomalyMap
from models.geometry import Placement
from models.pixel_format import PixelFormat
from tests.daemon.journal.entered import verdict

_ROUNDS = 40
_SIZES = {"0.5 MP": (700, 700), "5 MP": (2048, 2448), "20 MP": (3648, 5472)}


def main() -> None:
    """Print ms, median and worst, of ``offer`` while nobody collects, one does, and one lags."""
    anomaly = AnomalyMap(torch.zeros(2, 2), Placement((0, 0), (4, 4), (2, 2)))
    for name, shape in _SIZES.items():
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        frame = Frame(Claim("nut", 1, "cam"), pixels, PixelFormat.MONO8, Lease(lambda: None))
        view = SettledView("cam", 1, 1, None, Inspected(anomaly, frame, 0, 0))
        part = Settled("nut", 1, Part(), TriggerSource.HARDWARE, 1, float("inf"), (view,))
        said = verdict(1, Kind.PASS)
        collector = Collector(lambda code, station, text: None)
        offer = partial(collector.offer, part, said)
        idle = [_timed(offer) for _ in range(_ROUNDS)]
        request = CollectFrames(parts=100_000, which="good")
        collection = collector.begin("nut", request, "bench").collection
        busy, after = [], 0
        for _ in range(_ROUNDS):
            busy.append(_timed(offer))
            after += 1
            collector.take(collection, after)
        while collector.take(collection, after)[0].lost < 1:
            offer()
        full = [_timed(offer) for _ in range(_ROUNDS)]
        copy = [_timed(pixels.copy) for _ in range(_ROUNDS)]
        told = {"idle": idle, "collecting": busy, "backlog full": full, "a plain copy": copy}
        print(
            f"{name:7s}",
            *(f"{k}: {statistics.median(v):.3f} ({max(v):.3f})" for k, v in told.items()),
            sep="   ",
        )


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
