"""How often a peer may ask."""

import time
from collections import OrderedDict
from collections.abc import Callable

_PEERS = 1000  # that are remembered; who was not heard for longest is forgotten, and may begin anew


class Rates:
    """A token bucket for each peer: so many requests a second, twice as many at once."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the requests per second."""
        self._rate = rate
        self._burst = max(1.0, 2 * rate)
        self._clock = clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # tokens, at when

    def __len__(self) -> int:
        return len(self._left)

    def allow(self, peer: bytes) -> bool:
        """Count a request; say whether it is within the rate."""
        now = self._clock()
        left, before = self._left.pop(peer, (self._burst, now))
        left = min(self._burst, left + (now - before) * self._rate)
        allowed = left >= 1
        self._left[peer] = (left - 1 if allowed else left, now)
        if len(self._left) > _PEERS:
            self._left.popitem(last=False)
        return allowed
