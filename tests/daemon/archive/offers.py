"""What the archive's tests offer to it."""

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch

from daemon.archive import Archive, ArchivePlan, Kept
from daemon.archive.record import RECORD
from daemon.channel import Crew
from daemon.messages import Kind, Part, Reason, TriggerSource, Verdict, View
from models.calibration import AnomalyMap
from models.geometry import Placement
from models.pixel_format import PixelFormat
from models.pixels import RawFrame

LIMIT = 30.0
NOON = int(datetime(2026, 3, 14, 12).timestamp() * 1e9)  # ns, in local time
DAY_NS = 24 * 3600 * 10**9
PLACEMENT = Placement((2.0, 2.0), (4.0, 4.0), (4, 5))


def verdict_of(
    seq: int, kind: Kind = Kind.FAIL, *, triggered_ns: int = NOON, cameras: tuple[str, ...] = ("c",)
) -> Verdict:
    view = View(camera="c", trigger=seq, frame_id=seq, verdict=kind, score=0.5)
    return Verdict(
        epoch=7,
        seq=seq,
        station="nut",
        part=Part(id=f"P{seq} ü"),
        trigger_source=TriggerSource.HARDWARE,
        verdict=kind,
        reason=Reason.MODEL_ERROR if kind is Kind.NO_VERDICT else None,
        score=0.5,
        threshold=0.4,
        views=tuple(view.model_copy(update={"camera": camera}) for camera in cameras),
        recipe="nut.v1",
        recipe_version=1,
        bundle="b",
        calibration="c",
        engine="torch-2/cpu/x/fp32/threads-1/tile",
        code="0.1.0",
        triggered_ns=triggered_ns,
        published_ns=triggered_ns + 1,
        resultId=f"7-nut-{seq}",
        jobId="job",
    )


def frame_of(seq: int, pixel_format: PixelFormat = PixelFormat.MONO8, side: int = 16) -> RawFrame:
    """Give noise, always the same for a seq, which does not compress."""
    shape = pixel_format.shape(side, side + 2)
    top = 2**pixel_format.bits
    noise = np.random.default_rng(zlib.crc32(b"%d" % seq)).integers(0, top, shape)
    return noise.astype(np.uint8) if pixel_format.bits == 8 else noise.astype(np.uint16)


def kept(
    seq: int,
    kind: Kind = Kind.FAIL,
    release: Callable[[], None] = lambda: None,
    *,
    verdict: Verdict | None = None,
    camera: str = "c",
    pixel_format: PixelFormat = PixelFormat.MONO8,
    pixels: RawFrame | None = None,
) -> Kept:
    verdict = verdict or verdict_of(seq, kind)
    values = torch.linspace(-0.1, 0.5, 20).reshape(4, 5) + seq
    return Kept(
        verdict=verdict,
        header=verdict.model_dump_json().encode(),
        camera=camera,
        pixels=frame_of(seq, pixel_format) if pixels is None else pixels,
        pixel_format=pixel_format,
        anomaly=None if verdict.verdict is Kind.NO_VERDICT else AnomalyMap(values, PLACEMENT),
        release=release,
    )


def plan_(
    *,
    keep: str = "all",
    good_sample: int = 100,
    queue: int = 1 << 20,
    budget: int = 100 << 20,
    leave_free: int = 0,
    drain_s: float = LIMIT,
) -> ArchivePlan:
    return ArchivePlan(keep, good_sample, queue, budget, leave_free, drain_s)  # type: ignore[arg-type]


class Slots:
    """Slots that hold frames; a slot's memory is overwritten as soon as it is released."""

    def __init__(self) -> None:
        self.released: Counter[int] = Counter()
        self._changed = threading.Condition()

    def kept(self, seq: int, kind: Kind = Kind.FAIL) -> Kept:
        pixels = frame_of(seq)
        return kept(seq, kind, partial(self._release, seq, pixels), pixels=pixels)

    def _release(self, seq: int, pixels: RawFrame) -> None:
        pixels[:] = 0
        with self._changed:
            self.released[seq] += 1
            self._changed.notify_all()

    def all_released(self, count: int) -> bool:
        """Wait until seq 0 to ``count`` - 1 have been released, each of them once."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.released == Counter(range(count)), timeout=LIMIT
            )


@contextmanager
def running(archive: Archive) -> Iterator[None]:
    """Run an archive's threads; it ends in order when the block does."""
    crew = Crew(lambda: None)
    archive.start(crew)
    try:
        yield
    finally:
        archive.done()
        assert crew.join(LIMIT) == []
        crew.check()


def records(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{RECORD}"))
