"""The log of who was refused: seldom for the same one, so that nobody fills the disk with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon import log

PERIOD = 10.0  # seconds in which the same one is logged once
_KNOWN = 1000  # that are told apart; the others together count as one


@dataclass
class _Told:
    until: float
    event: str
    left_out: int = 0


class Refusals:
    """Logs refusals. For use in one thread."""

    def __init__(self, logger: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log.get(logger)
        self._clock = clock
        self._told: dict[str, _Told] = {}

    def tell(self, who: str, event: str, **about: object) -> None:
        """Log a refusal, or count it if this one was told of a moment ago."""
        self.settle()
        if who not in self._told and len(self._told) >= _KNOWN:
            who = "many others"
        told = self._told.get(who)
        if told is not None:
            told.left_out += 1
            return
        self._told[who] = _Told(self._clock() + PERIOD, event)
        self._log.warning(event, who=who, **about)

    def settle(self) -> None:
        """Forget whom we told of long ago, and log how many more there were."""
        now = self._clock()
        for who in [who for who, told in self._told.items() if told.until <= now]:
            told = self._told.pop(who)
            if told.left_out:
                self._log.warning(
                    told.event, who=who, left_out=told.left_out, in_seconds=round(PERIOD)
                )
