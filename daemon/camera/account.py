"""A word on every trigger of a camera: its number, or what became of it."""

import time
from collections.abc import Callable

from daemon.camera import link
from daemon.camera.numbering import Numbering
from daemon.messages import Reason


class Account:
    """Numbers triggers, and says of each that no frame comes of why."""

    def __init__(self, numbers: Numbering, say: Callable[[link.FromCamera], None]) -> None:
        self._numbers = numbers
        self._say = say
        self._counted = 0
        self._unread = 0  # incomplete buffers that did not say which frame they were
        self._alive_ns: int | None = None  # Unix epoch: when the camera last showed how far it is

    @property
    def last(self) -> int:
        """Number of the newest trigger that has been spoken of."""
        return self._numbers.last

    def started(self, counter: int | None, reason: Reason, detail: str) -> None:
        """Begin an acquisition; what was counted before belongs to no frame of it."""
        self._lose(self._numbers.started(counter), reason, detail)
        self._told()

    def passed_over(self, counter: int | None) -> None:
        """Begin an acquisition; what was counted before is accounted for already."""
        self._numbers.started(counter)
        self._told()

    def acquiring(self) -> None:
        """Say that frames can come from now on."""
        self._counted = self._numbers.last
        self._say(link.Started(base=self._numbers.last, shift=self._numbers.shift))

    def at_edge(self, counter: int | None) -> bool:
        """Say whether no trigger was counted since ``started``."""
        return counter in (None, self._numbers.last - self._numbers.shift)

    def counted(self, counter: int | None) -> None:
        """Say how far the device has counted, if that is news."""
        if counter is None:
            return
        number = self._numbers.number(counter)
        self._told()
        if number > self._counted:
            self._counted = number
            self._say(link.Counted(triggers=number))

    def frame(self, frame_id: int) -> int:
        """Give the trigger number of a frame; those skipped before it are lost."""
        numbers = self._numbers.frame(frame_id)
        skipped = numbers[:-1]
        unread, self._unread = min(self._unread, len(skipped)), 0
        first = frame_id - len(skipped)  # below 1 where the ids have wrapped
        for part, reason, detail in (
            (skipped[:unread], Reason.INCOMPLETE, "incomplete or unreadable buffer"),
            (skipped[unread:], Reason.FRAME_LOST, f"FrameIDs skipped before {frame_id}"),
        ):
            begins = first + (part.start - skipped.start)
            self._lose(part, reason, detail, begins if begins > 0 else None)
        self._told()
        return numbers[-1]

    def missed(self, number: int, frame_id: int, reason: Reason, detail: str) -> None:
        """Say why a frame that came cannot be inspected."""
        self._lose(range(number, number + 1), reason, detail, frame_id)

    def incomplete(self, frame_id: int | None) -> None:
        """Account for a buffer that the driver has thrown away."""
        if frame_id is None:
            self._unread += 1  # the gap before the next FrameID tells which it was
        else:
            self.missed(self.frame(frame_id), frame_id, Reason.INCOMPLETE, "incomplete buffer")

    def away(self, since_ns: int | None = None) -> None:
        """Say that nothing counts from ``since_ns`` (Unix epoch) to now.

        None: since the camera last showed how far it is.
        """
        since = self._alive_ns if since_ns is None else since_ns
        self._say(link.Unaccounted(since_ns=since, until_ns=time.time_ns(), triggers=None))

    def lags(self, counter: int | None) -> bool:
        """Say whether the device has lost count: it has no counter, or that began again."""
        return counter is None or counter + self._numbers.shift < self._numbers.last

    def stopped(self, counter: int) -> None:
        """End the acquisition; what was counted and has not come does not come any more."""
        new = self._numbers.counted(counter)
        self._lose(new, Reason.SHUTDOWN, "counted, and no frame came before the stop")
        self._told()

    def _lose(
        self, numbers: range, reason: Reason, detail: str, frame_id: int | None = None
    ) -> None:
        if numbers:
            said = link.Missed(
                first=numbers[0], last=numbers[-1], reason=reason, detail=detail, frame_id=frame_id
            )
            self._say(said)

    def _told(self) -> None:
        """Say what was too much to be numbered; the camera has shown how far it is."""
        now = time.time_ns()
        if self._numbers.unnumbered:
            many, self._numbers.unnumbered = self._numbers.unnumbered, 0
            self._say(link.Unaccounted(since_ns=self._alive_ns, until_ns=now, triggers=many))
        self._alive_ns = now
