"""From FrameIDs to trigger numbers without a hole, whatever the camera restarts or wraps."""

from dataclasses import dataclass

#: GigE Vision 1.x counts FrameIDs in 16 bits and leaves out 0: 65535 is followed by 1.
_WRAP = 65535
_NEAR = 4096  # how far around the wrap an id still counts as wrapped and not as begun again
#: More new triggers at once are garbage, or a line that ran for days: nobody speaks of each.
MOST = 100_000


@dataclass
class Numbering:
    """Numbers the triggers of a camera, from 1, each once.

    ``last`` is the highest number that has been spoken of. ``shift`` is what the device's own
    counter is to be raised by: 0 until a device that counts begins again at 0. ``unnumbered``
    counts triggers that were more than ``MOST`` at once, and have no number.
    """

    last: int = 0
    shift: int = 0
    unnumbered: int = 0
    _frame_id: int = 0

    def started(self, counter: int | None) -> range:
        """Begin an acquisition; give the triggers that nobody has spoken of and that no frame
        of it can belong to.

        ``counter`` is what the device has counted, None where it cannot.
        """
        self._frame_id = 0
        if counter is None:
            return range(0)
        if counter + self.shift < self.last:
            self.shift = self.last - counter
        return self.counted(counter)

    def number(self, counter: int) -> int:
        """Give the number of the trigger that the device has just counted."""
        new = counter + self.shift - self.last
        if new > MOST:
            self.unnumbered += new
            self.shift -= new
        return counter + self.shift

    def counted(self, counter: int) -> range:
        """Speak of all triggers that the device has counted; give those that are new."""
        return self._skip_to(self.number(counter))

    def frame(self, frame_id: int) -> range:
        """Give the triggers up to this frame's, which is the last; before it are those skipped."""
        step = frame_id - self._frame_id
        if step <= 0 and _WRAP - _NEAR < self._frame_id <= _WRAP and frame_id < _NEAR:
            step = frame_id + _WRAP - self._frame_id
        elif step <= 0:
            step = 1  # the camera began again, or repeats an id: a frame is a trigger all the same
        self._frame_id = frame_id
        if step > MOST:
            self.unnumbered += step - 1
            step = 1
        return self._skip_to(self.last + step)

    def _skip_to(self, last: int) -> range:
        new = range(self.last + 1, max(last, self.last) + 1)
        self.last = new.stop - 1
        return new
