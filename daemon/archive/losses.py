"""Losses of images, counted by cause, and told of now and then."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from daemon import log
from daemon.archive.kept import Loss

PERIOD = 60.0  # seconds from word to word, at least

_MEANS = {
    Loss.QUEUE_FULL: "they come faster than they are written; images.queue_mb holds more",
    Loss.NO_SPACE: "images.budget_mb and images.leave_free_mb allow no more",
    Loss.WRITE_ERROR: "the system will not write them",
    Loss.NO_MEMORY: "no memory for a copy",
    Loss.SHUTDOWN: "effad stopped before they were written",
}


class Losses:
    """Counts are added by any thread; words are given by one."""

    def __init__(self, alarm: Callable[[str], None], period: float = PERIOD) -> None:
        self._alarm = alarm
        self._period = period
        self._told: Counter[Loss] = Counter()
        self._next = 0.0  # time.monotonic
        self._lock = threading.Lock()
        self._counts: Counter[Loss] = Counter()
        self.last_error = ""

    def add(self, loss: Loss) -> None:
        with self._lock:
            self._counts[loss] += 1

    def counts(self) -> Counter[Loss]:
        with self._lock:
            return self._counts.copy()

    def tell(self) -> None:
        """Log and raise an alarm if there are new losses, and the last word is long ago."""
        if time.monotonic() >= self._next and (text := self._new()):
            self._next = time.monotonic() + self._period
            self._log(text)
            self._alarm(text)

    def tell_last(self) -> None:
        """Log what was not told of yet: at the end, when nobody hears alarms any more."""
        if text := self._new():
            self._log(text)

    def _log(self, text: str) -> None:
        total = {str(loss): count for loss, count in self.counts().items()}
        log.get("archive").warning("images not kept", text=text, total=total)

    def _new(self) -> str:
        """Give in one line what is new since the last call; empty if nothing is."""
        now = self.counts()
        new = now - self._told
        self._told = now
        said = [f"{loss} {count} ({_MEANS[loss]})" for loss, count in sorted(new.items())]
        if Loss.WRITE_ERROR in new and self.last_error:
            said.append(f"the last error: {self.last_error}")
        return f"{new.total()} images not kept: {'; '.join(said)}" if new else ""
