"""Noticing by ``seq`` what did not arrive."""

from daemon.messages import Heartbeat, Verdict


class SeqCheck:
    """Notices by ``seq`` which verdicts of each station did not arrive."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # station: epoch, seq
        self._alive = False

    def verdict(self, verdict: Verdict) -> tuple[bool, str | None]:
        """Give whether this verdict is new, and a line on what is missing before it."""
        known = self._last.get(verdict.station, (verdict.epoch, verdict.seq - 1))
        now = (verdict.epoch, verdict.seq)
        if now <= known:
            return False, None
        self._last[verdict.station] = now
        if verdict.seq <= known[1]:
            return True, f"{verdict.station}: seq is {verdict.seq} after {known[1]}: a new journal?"
        if verdict.seq == known[1] + 1:
            return True, None
        return True, _lost(verdict.station, known[1] + 1, verdict.seq - 1)

    def heartbeat(self, heartbeat: Heartbeat) -> list[str]:
        """Give a line for each station whose last verdicts did not arrive.

        The first heartbeat is no start of a count: it may be from before we came, sent again.
        """
        lines = []
        for station, counted in heartbeat.seq.items():
            if station not in self._last:
                if self._alive:
                    self._last[station] = (heartbeat.epoch, counted)
                continue
            epoch, seq = self._last[station]
            if heartbeat.epoch < epoch or counted == seq:
                continue
            if counted > seq:
                lines.append(_lost(station, seq + 1, counted))
            elif heartbeat.epoch == epoch:
                continue  # sent again for another subscriber
            self._last[station] = (heartbeat.epoch, counted)
        self._alive = True
        return lines


def _lost(station: str, first: int, last: int) -> str:
    which = f"verdict {first}" if first == last else f"verdicts {first} to {last}"
    return f"{station}: lost {which} ({last - first + 1}); they were sent and did not arrive"
