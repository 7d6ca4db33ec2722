"""What the daemon counts of its verdicts: by kind and reason, and how long each stage took."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.messages import Counts, Kind, Reason
from daemon.metrics.histogram import Latencies, LatencyHistogram
from daemon.replies import StageLatency, StationStatistics


class Stage(StrEnum):
    """A part of the way from exposure to verdict, in its order."""

    RECEIVE = "receive"  # exposure to the frame out of the driver
    QUEUE = "queue"  # to the begin of its inference
    INFER = "infer"  # to its map
    SETTLE = "settle"  # to the part judged: waits for other views and for earlier parts
    COMMIT = "commit"  # to the verdict in the journal
    SEND = "send"  # to the verdict sent
    TOTAL = "total"  # exposure to the verdict sent


class Tally:
    """One station's. One thread may count while others read."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[Kind, Reason | None], int] = {
            (Kind.PASS, None): 0,
            (Kind.FAIL, None): 0,
            **{(Kind.NO_VERDICT, reason): 0 for reason in Reason},
        }
        self._stages = {stage: LatencyHistogram() for stage in Stage}
        self._bypassed = 0

    def verdict(self, kind: Kind, reason: Reason | None, bypassed: bool = False) -> None:
        """Count a verdict; the reason is of NO_VERDICT alone. Raises ``KeyError`` else."""
        self._verdicts[kind, reason] += 1
        self._bypassed += bypassed

    def stage(self, stage: Stage, ns: int) -> None:
        """Count how long a verdict, or a view of it, was in a stage."""
        self._stages[stage].observe(ns)

    def read(self) -> "Tallied":
        """Give what was counted so far."""
        return Tallied(
            verdicts=self._verdicts.copy(),
            bypassed=self._bypassed,
            stages={stage: histogram.read() for stage, histogram in self._stages.items()},
        )


@dataclass(frozen=True)
class Tallied:
    """What a tally held at a moment."""

    verdicts: Mapping[tuple[Kind, Reason | None], int]
    bypassed: int  # of those that passed
    stages: Mapping[Stage, Latencies]


class Statistics:
    """All stations', since the daemon's start."""

    def __init__(self, stations: Iterable[str]) -> None:
        self.stations: Mapping[str, Tally] = {name: Tally() for name in stations}

    def snapshot(self, counts: Mapping[str, Counts]) -> dict[str, StationStatistics]:
        """Answer GetStatistics, with the ledger's account of each station.

        Reasons and stages that did not occur are left out.
        """
        return {name: _station(tally.read(), counts[name]) for name, tally in self.stations.items()}


def _station(tallied: Tallied, counts: Counts) -> StationStatistics:
    return StationStatistics(
        counts=counts,
        reasons={str(why): n for (_, why), n in tallied.verdicts.items() if why and n},
        stages={str(s): _latency(took) for s, took in tallied.stages.items() if took.count},
    )


def _latency(latencies: Latencies) -> StageLatency:
    return StageLatency(
        count=latencies.count,
        mean_ms=latencies.mean_ns / 1e6,
        p50_ms=latencies.quantile_ns(0.5) / 1e6,
        p99_ms=latencies.quantile_ns(0.99) / 1e6,
        max_ms=latencies.max_ns / 1e6,
    )
