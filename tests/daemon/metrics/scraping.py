"""A real metrics server for tests, and what a monitoring system reads from it."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from daemon.messages import AlarmCode, Counts, Kind, Reason, State
from daemon.metrics.reading import (
    ArchiveReading,
    CameraReading,
    DriftReading,
    JournalReading,
    QueueReading,
    Reading,
    Source,
    StationReading,
)
from daemon.metrics.server import MetricsServer
from daemon.metrics.statistics import Stage, Tally

LIMIT = 10.0  # seconds that anything may take

Scraped = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Known:
    """A source that says what a test wants."""

    said: Reading

    def reading(self) -> Reading:
        return self.said


def tally() -> Tally:
    """Six verdicts of a station, and the total latency of one."""
    made = Tally()
    made.stage(Stage.TOTAL, 50_000_000)
    for _ in range(3):
        made.verdict(Kind.PASS, None)
    made.verdict(Kind.PASS, None, bypassed=True)
    made.verdict(Kind.FAIL, None)
    made.verdict(Kind.NO_VERDICT, Reason.LATE)
    return made


def full() -> Reading:
    """All that a daemon can have, with numbers of which no two are confused."""
    counts = Counts(triggers=8, passed=4, failed=1, no_verdict=1, open=2, bypassed=1)
    return Reading(
        version="1.2.3",
        epoch=1_700_000_000_500_000_000,
        state=State.CONTINUOUS_EXECUTION,
        invariant_violated=False,
        stations={
            "nut": StationReading(tally().read(), counts, bypass=True),
            "bolt": StationReading(Tally().read(), Counts(), bypass=False),
        },
        cameras={("nut", "top"): CameraReading(21, 2, up=True, slots=9, slots_free=7)},
        queues={"infer": QueueReading(3, 16)},
        journal=JournalReading(4096, 5, 0.25, 1.5, 1),
        archive=ArchiveReading(11, {"queue_full": 12}, 13_000, 14_000),
        subscribers={"results": 6},
        requests={"answered": 31, "refused": 32},
        alarms={AlarmCode.CAMERA_DOWN: 41},
        drift={("nut", "brightness"): DriftReading(-0.75, over=True)},
    )


@contextmanager
def served(source: Source, address: str = "127.0.0.1") -> Iterator[str]:
    """Serve a source on a free port; give the URL. The thread must end when told to."""
    server = MetricsServer(address, 0, source)
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(stop,), daemon=True)
    thread.start()
    try:
        yield server.wait_bound(LIMIT)
    finally:
        stop.set()
        thread.join(LIMIT)
        assert not thread.is_alive()


def get(url: str, accept: str = "") -> str:
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310
    with urllib.request.urlopen(request, timeout=LIMIT) as reply:  # noqa: S310
        text: bytes = reply.read()
    return text.decode()


def parse(text: str) -> Scraped:
    """Give each sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(scraped: Scraped, name: str, **labels: str) -> float:
    return scraped[name, frozenset(labels.items())]
