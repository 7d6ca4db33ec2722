"""The archive: takes images without ever waiting, and writes them in threads of its own.

One thread copies: a slot is free again after milliseconds, however slow the disk is. The other one
compresses and writes. What they hold together is bounded; what finds no room is lost, and counted.
Neither runs at a lower priority: a thread that is put aside while it holds Python's global lock
puts the whole line aside.
"""

import errno
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from daemon.archive.kept import OVERHEAD, ArchiveCounts, ArchivePlan, Kept, Loss
from daemon.archive.losses import PERIOD, Losses
from daemon.archive.store import NoSpace, Store
from daemon.channel import Channel, Closed, Crew
from daemon.messages import Kind, Verdict
from daemon.parts import Inspected, Settled

TICK = 1.0  # seconds after which losses are told of though nothing is written
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Archive:
    """Keeps images in a folder. ``offer``, ``done`` and ``counts`` may be called by any thread."""

    def __init__(
        self,
        folder: Path,
        plan: ArchivePlan,
        alarm: Callable[[str], None],
        *,
        alarm_period: float = PERIOD,
    ) -> None:
        """Take what to call, in the writing thread, with a line that says what was not kept.

        That is at once, then once in ``alarm_period`` seconds as long as more is lost.
        """
        self._plan = plan
        self._store = Store(folder, plan, self._expired)
        # Bytes are what bounds them: a put into the second never waits.
        most = plan.queue_bytes // OVERHEAD + 1
        self._intake = Channel[Kept](most)
        self._backlog = Channel[Kept](most)
        self._lock = threading.Lock()
        self._until: float | None = None  # time.monotonic() when a write may still begin
        self._waiting = 0  # images taken, and not yet written or lost
        self._held = 0  # their bytes
        self._good: Counter[tuple[str, str]] = Counter()  # good ones seen of a station's camera
        self._kept: Counter[Kind] = Counter()
        self._losses = Losses(alarm, alarm_period)

    def start(self, crew: Crew) -> None:
        """Start both threads; they end some time after ``done``."""
        crew.start("archive-write", self._write)
        crew.start("archive-copy", self._copy)

    def offer(self, item: Kept) -> bool:
        """Take an image if it is to be kept and there is room; never waits, never fails.

        ``item.release`` is called here if it is not taken, else as soon as it has been copied.
        """
        if self._wanted(item) and self._take(item):
            return True
        item.release()
        return False

    def keep(self, part: Settled, verdict: Verdict, header: bytes) -> None:
        """Offer what was seen of a part, each view with a share of its frame's lease."""
        for view in part.views:
            if isinstance(view.outcome, Inspected):
                frame = view.outcome.frame
                self.offer(
                    Kept(
                        verdict,
                        header,
                        view.camera,
                        frame.pixels,
                        frame.pixel_format,
                        view.outcome.anomaly,
                        frame.lease.share().let_go,
                    )
                )

    def done(self) -> None:
        """Take no more; what was taken is still written, for ``drain_s`` seconds."""
        with self._lock:
            if self._until is None:
                self._until = time.monotonic() + self._plan.drain_s
                self._intake.done()

    @property
    def budget_bytes(self) -> int:
        """Bytes of the disk that all images may take."""
        return self._plan.budget_bytes

    def counts(self) -> ArchiveCounts:
        with self._lock:
            return ArchiveCounts(
                kept=dict(self._kept),
                lost=dict(self._losses.counts()),
                images=self._store.images,
                used_bytes=self._store.used,
                queued=self._waiting,
                queued_bytes=self._held,
            )

    # In the thread that offers.

    def _wanted(self, item: Kept) -> bool:
        plan = self._plan
        if plan.keep != "fail" or not item.good:
            return plan.keep != "none"
        with self._lock:
            key = (item.verdict.station, item.camera)
            number = self._good[key]
            self._good[key] += 1
        return plan.good_sample > 0 and number % plan.good_sample == 0

    def _take(self, item: Kept) -> bool:
        with self._lock:
            loss = Loss.SHUTDOWN
            if self._until is None:
                loss = Loss.QUEUE_FULL
                room = self._held + item.memory <= self._plan.queue_bytes
                try:
                    if room and self._intake.offer(item):
                        self._waiting += 1
                        self._held += item.memory
                        return True
                except Closed:  # the copying thread failed, and its crew says why
                    loss = Loss.SHUTDOWN
        self._losses.add(loss)
        return False

    # In the copying thread.

    def _copy(self) -> None:
        try:
            for item in self._intake:
                copied = self._copied(item)
                if copied is not None:
                    self._pass_on(copied)
        finally:
            self._backlog.done()
            for item in self._intake.abandon():
                item.release()
                self._lose(item, Loss.SHUTDOWN)

    def _pass_on(self, copied: Kept) -> None:
        try:
            self._backlog.put(copied)
        except Closed:
            self._lose(copied, Loss.SHUTDOWN)
            raise

    def _copied(self, item: Kept) -> Kept | None:
        try:
            pixels = item.pixels.copy()
        except MemoryError:
            self._lose(item, Loss.NO_MEMORY)
            return None
        finally:
            item.release()
        return replace(item, pixels=pixels, release=_nothing)

    # In the writing thread.

    def _write(self) -> None:
        try:
            self._open()
            while True:
                try:
                    self._keep(self._backlog.get(TICK))
                except TimeoutError:
                    pass
                except Closed:
                    return
                self._losses.tell()
        finally:
            for item in self._backlog.abandon():
                self._lose(item, Loss.SHUTDOWN)
            self._store.close()
            self._losses.tell_last()

    def _open(self) -> None:
        """See what is in the folder; where that fails, each image tries again."""
        if self._plan.keep == "none":
            return
        try:
            self._store.open()
        except OSError as error:
            self._losses.last_error = str(error)

    def _keep(self, item: Kept) -> None:
        if self._expired():
            self._lose(item, Loss.SHUTDOWN)
            return
        try:
            self._store.write(item)
        except NoSpace:
            self._lose(item, Loss.NO_SPACE)
        except OSError as error:
            self._losses.last_error = str(error)
            self._lose(item, Loss.NO_SPACE if error.errno in _FULL else Loss.WRITE_ERROR)
        except MemoryError:
            self._lose(item, Loss.NO_MEMORY)
        else:
            with self._lock:
                self._leaves(item)
                self._kept[item.verdict.verdict] += 1

    def _expired(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _lose(self, item: Kept, loss: Loss) -> None:
        """Count an image as lost that had been taken."""
        with self._lock:
            self._leaves(item)
        self._losses.add(loss)

    def _leaves(self, item: Kept) -> None:
        self._waiting -= 1
        self._held -= item.memory


def _nothing() -> None:
    """A copy has no slot to free."""
