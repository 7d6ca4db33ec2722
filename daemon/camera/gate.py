"""When a good part passes the gate, and what level the output has to have.

High means good: at rest the output is low, so that a cut cable, a late verdict and a dead process
all reject. Times are ns of CLOCK_MONOTONIC, counts are of the belt's encoder.
"""

import heapq
from collections import deque
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

_MS = 1_000_000
_TOLERANCE_MS = 5.0  # a pulse is given up to so late, or half its width
_PARTS = 4096  # of which it is remembered where they are: more than fit between camera and gate
_STALE_NS = 1_000_000_000  # an encoder read longer ago says nothing of where the belt is
_WRAP = 1 << 32  # of the encoder


class OutputPlan(BaseModel):
    """An output of the camera, as its settings want it; exactly one of the two distances is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: str  # as node LineSelector names it
    user_output: str  # as node UserOutputSelector names it
    pulse_ms: float
    delay_ms: float | None  # from exposure to the gate
    encoder_counts: int | None  # the same, by the belt


class Good(NamedTuple):
    """A good part on its way to the gate."""

    gate: float  # ns or counts
    trigger: int
    number: int  # of the station's part


class Belt:
    """Where the belt has been: readings of an encoder that counts up in 32 bits."""

    def __init__(self) -> None:
        self._read: deque[tuple[int, int]] = deque(maxlen=4096)  # (ns, counts without wraps)

    @property
    def counts(self) -> int | None:
        return self._read[-1][1] if self._read else None

    def read(self, ns: int, value: int) -> None:
        """Take a reading in: later ones have a later ``ns``."""
        counts = value % _WRAP
        if self._read:
            last = self._read[-1][1]
            counts = last + (counts - last + _WRAP // 2) % _WRAP - _WRAP // 2
        self._read.append((ns, counts))

    def at(self, ns: int) -> float | None:
        """Give the counts at a time between two readings; None if there are none near it."""
        after: tuple[int, int] | None = None
        for reading in reversed(self._read):
            if reading[0] <= ns:
                return _between(reading, after, ns) if ns - reading[0] < _STALE_NS else None
            after = reading
        return None


def _between(before: tuple[int, int], after: tuple[int, int] | None, ns: int) -> float:
    if after is None:
        return before[1]
    return before[1] + (after[1] - before[1]) * (ns - before[0]) / (after[0] - before[0])


class Gate:
    """Turns good parts into one level over time; pulses that touch are one."""

    def __init__(self, plan: OutputPlan) -> None:
        self.belt = Belt()
        self._delay_ns = None if plan.delay_ms is None else round(plan.delay_ms * _MS)
        self._counts = plan.encoder_counts
        self._pulse_ns = round(plan.pulse_ms * _MS)
        self._tolerance_ns = round(min(_TOLERANCE_MS, plan.pulse_ms / 2) * _MS)
        self._parts: dict[int, float | None] = {}  # trigger: where its gate is, ns or counts
        self._good: list[Good] = []  # a heap: those whose gate is still to come
        self._high_until = 0

    @property
    def by_encoder(self) -> bool:
        return self._counts is not None

    def exposed(self, trigger: int, exposed_ns: int) -> None:
        """Remember where a part was; its gate lies a distance behind."""
        if self._delay_ns is not None:
            self._parts[trigger] = exposed_ns + self._delay_ns
        else:
            at = self.belt.at(exposed_ns)
            self._parts[trigger] = None if at is None else at + (self._counts or 0)
        if len(self._parts) > _PARTS:
            del self._parts[next(iter(self._parts))]

    def good(self, number: int, trigger: int) -> str:
        """Have a pulse given when this part is at the gate; give why not, empty if it will."""
        gate = self._parts.pop(trigger, None)
        if gate is None:
            return "it is not known where the part was when its frame was exposed"
        heapq.heappush(self._good, Good(gate, trigger, number))
        return ""

    def step(self, now_ns: int) -> tuple[bool, list[Good]]:
        """Give the level that the output has now, and the parts whose gate has been missed."""
        missed = []
        while self._good and self._reached(self._good[0].gate, now_ns):
            good = heapq.heappop(self._good)
            if self._reached(good.gate, now_ns - self._tolerance_ns - 1):
                missed.append(good)
            else:
                # By time a late start does not shift the end: behind it is the next part.
                start = now_ns if self.by_encoder else int(good.gate)
                self._high_until = max(self._high_until, start + self._pulse_ns)
        return now_ns < self._high_until, missed

    def abandon(self) -> list[Good]:
        """Forget all pulses, and where the parts are; give the good parts that get none."""
        missed, self._good = sorted(self._good), []
        self._parts.clear()
        self._high_until = 0
        self.belt = Belt()
        return missed

    def pause_ns(self, now_ns: int) -> int | None:
        """Give the time to the next edge; 0 where only the encoder knows, None if none is due."""
        if self._good and self.by_encoder:
            return 0
        edges = [int(good.gate) for good in self._good[:1]]
        if now_ns < self._high_until:
            edges.append(self._high_until)
        return max(0, min(edges) - now_ns) if edges else None

    def _reached(self, gate: float, ns: int) -> bool:
        if not self.by_encoder:
            return gate <= ns
        at = self.belt.at(ns)
        return at is not None and gate <= at
