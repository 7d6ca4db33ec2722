"""How long an inspection takes, so that what cannot be in time is not begun."""

_SMOOTHING = 0.125  # weight of the newest, and a quarter for the deviation (RFC 6298)
_DEVIATIONS = 2.0
_FADE = 0.9  # of the estimate, with each frame that was not begun


class Pace:
    """An estimate of the time that the next inspection of a station takes.

    Under overload a queue in which every frame is inspected too late gives no verdict at all; one
    that skips what would be late gives as many as the device can. After a stall the estimate is too
    high: it fades with every frame skipped, until one is tried again.
    """

    def __init__(self) -> None:
        self._mean: float | None = None  # seconds
        self._deviation = 0.0

    def took(self, seconds: float) -> None:
        """Take in how long an inspection took."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 4
            return
        off = seconds - self._mean
        self._deviation += 2 * _SMOOTHING * (abs(off) - self._deviation)
        self._mean += _SMOOTHING * off

    def skipped(self) -> None:
        """Take in that a frame was not begun."""
        if self._mean is not None:
            self._mean *= _FADE
            self._deviation *= _FADE

    @property
    def expected(self) -> float:
        """Give what the next one takes, with a margin, in seconds; 0 before the first."""
        return 0.0 if self._mean is None else self._mean + _DEVIATIONS * self._deviation
