"""How long an inspection takes, so that what cannot be in time is not begun."""

from collections import deque

_LAST = 8  # inspections that are remembered
_ENOUGH = 4  # of them, before anything is expected
_SHARE = 0.75  # of them were no slower than what is expected


class Pace:
    """What the next inspection of a station is expected to take, on one engine.

    Under overload a queue in which every frame is inspected too late gives no verdict at all; one
    that skips what would be late gives as many as the device can. The other mistake costs a verdict
    each time: so one slow inspection (a stall, a recipe that loads beside) is not what is expected
    of the next, an engine that nobody knows yet is given its try, and so is one that has had
    nothing to do for as long as its quickest took, which costs nothing.
    """

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=_LAST)
        self._ended = 0.0

    def took(self, seconds: float, now: float) -> None:
        """Take in how long an inspection took that ended ``now``, in monotonic seconds."""
        self._took.append(seconds)
        self._ended = now

    def expected(self, now: float) -> float:
        """Give what an inspection that begins ``now`` takes, in seconds; 0 if it is to be tried."""
        if len(self._took) < _ENOUGH or now - self._ended >= min(self._took):
            return 0.0
        return sorted(self._took)[int(_SHARE * (len(self._took) - 1))]
