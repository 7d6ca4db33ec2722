"""How long a camera's process waits for a frame, and how long for a word of the daemon.

A wait in the driver ends with the frame, so it costs the least and is the fastest; but it does not
end with a word of the daemon, and takes whole ms. A process that looks each 0.5 ms for both costs
four times as much CPU time a frame (at 300 a second of 64 x 64 pixels).
"""

import time

from daemon.camera.output import Output
from daemon.messages import TriggerSource

_LOOK = 0.0005  # seconds between two looks where the driver cannot wait, or an edge is near
_UNHURRIED = 25  # ms: the daemon wants nothing but an end
_ATTENTIVE = 2  # ms: good parts are on their way, and the daemon may say so
_EXPECTING = 1  # ms: a software trigger was sent, and the next may come
_NEAR_NS = 3_000_000  # an edge of the output within less is waited for by the clock
_TOO_EARLY = 10  # waits in a row that ended without a frame and far too early


class Patience:
    def __init__(self, trigger: TriggerSource, output: Output | None) -> None:
        self._software = trigger is TriggerSource.SOFTWARE
        self._output = output
        self._early = 0
        self._obeyed = 0.0
        self._pause = _LOOK

    def wait_ms(self, due: float, expecting: bool) -> int:
        """Give how long the driver may wait for a frame.

        ``due`` is when something else has to be done, in seconds of ``time.monotonic``;
        ``expecting`` says that a software trigger has no frame yet.
        """
        self._pause = 0.0
        edge = self._output.pause_ns() if self._output is not None else None
        if edge is not None and edge < _NEAR_NS:
            self._pause = min(_LOOK, edge / 1e9) if edge else _LOOK
            return 0
        if self._early >= _TOO_EARLY:
            self._pause = _LOOK
            return 0
        if self._software and not expecting:
            self._pause = (_ATTENTIVE if self._output is not None else _UNHURRIED) / 1000
            return 0
        if time.monotonic() >= due:
            return 0
        if self._software:
            return _EXPECTING
        return _ATTENTIVE if self._output is not None else _UNHURRIED

    def waited(self, wait_ms: int, seconds: float) -> None:
        """Take in how long the driver did wait without a frame: some do not wait at all."""
        if wait_ms:
            self._early = self._early + 1 if seconds < wait_ms / 2000 else 0

    def pause(self) -> float:
        """Give how many seconds the daemon may be listened to, now that there is no frame."""
        self._obeyed = time.monotonic()
        return self._pause

    def is_time_to_obey(self) -> bool:
        """Say whether to listen though frames keep coming: not at each of them, it costs."""
        if self._software or self._output is not None:
            return True
        now = time.monotonic()
        if now - self._obeyed < _UNHURRIED / 1000:
            return False
        self._obeyed = now
        return True
