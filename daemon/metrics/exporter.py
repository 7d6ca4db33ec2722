"""The metrics in Prometheus' form: a reading of the daemon, named and labelled.

Nothing is kept between scrapes, and nothing is counted for them. A metric is there even while it
has no samples, so that a dashboard finds its name.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.messages import AlarmCode, State
from daemon.metrics import gpu
from daemon.metrics.catalogue import (
    ALARMS,
    ARCHIVE,
    CAMERA,
    DAEMON,
    DRIFT,
    GPU,
    JOURNAL,
    LOST_IMAGES,
    QUEUE,
    REQUESTS,
    STATE,
    STATION,
    SUBSCRIBERS,
    VERDICTS,
    Entry,
    Items,
)
from daemon.metrics.reading import Source, StationReading

T = TypeVar("T")


def registry(source: Source) -> CollectorRegistry:
    """Give what a server hands out: effad's own metrics, and the process' CPU and memory."""
    made = CollectorRegistry()
    made.register(Exporter(source))
    ProcessCollector(registry=made)
    return made


class Exporter(Collector):
    """Turns a source's readings into metrics, at each scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Describe nothing: else registering would take a reading."""
        return []

    def collect(self) -> Iterator[Metric]:
        reading = self._source.reading()
        yield InfoMetricFamily("effad_build", "Version of effad.", {"version": reading.version})
        yield from _all(DAEMON, (), _alone(reading))
        yield STATE.family(("state",), [((s,), s is reading.state) for s in State])
        yield ALARMS.family(("code",), [((c,), reading.alarms.get(c, 0)) for c in AlarmCode])
        yield SUBSCRIBERS.family(("socket",), _named(reading.subscribers))
        yield REQUESTS.family(("outcome",), _named(reading.requests))
        yield from _all(STATION, ("station",), _named(reading.stations))
        yield VERDICTS.family(("station", "verdict", "reason"), _verdicts(reading.stations))
        yield _latency(reading.stations)
        yield from _all(CAMERA, ("station", "camera"), reading.cameras.items())
        yield from _all(DRIFT, ("station", "channel"), reading.drift.items())
        yield from _all(QUEUE, ("queue",), _named(reading.queues))
        yield from _all(JOURNAL, (), _alone(reading.journal))
        yield from _all(ARCHIVE, (), _alone(reading.archive))
        yield LOST_IMAGES.family(
            ("cause",), _named(reading.archive.lost if reading.archive else {})
        )
        yield from _all(GPU, ("device",), [((g.device,), g) for g in gpu.read(reading.devices)])


def _all(entries: Iterable[Entry[T]], labels: Sequence[str], items: Items[T]) -> Iterator[Metric]:
    for entry in entries:
        yield entry.family(labels, items)


def _alone(item: T | None) -> Items[T]:
    return [] if item is None else [((), item)]


def _named(items: Mapping[str, T]) -> Items[T]:
    return [((name,), item) for name, item in items.items()]


def _verdicts(stations: Mapping[str, StationReading]) -> Items[int]:
    return [
        ((name, kind, reason or ""), count)
        for name, station in stations.items()
        for (kind, reason), count in station.tallied.verdicts.items()
    ]


def _latency(stations: Mapping[str, StationReading]) -> Metric:
    family = HistogramMetricFamily(
        "effad_latency_seconds",
        "How long verdicts and their views were in each stage; total: from exposure to sent.",
        labels=("station", "stage"),
    )
    for name, station in stations.items():
        for stage, took in station.tallied.stages.items():
            buckets = [
                ("+Inf" if math.isinf(bound) else str(bound), count)
                for bound, count in took.buckets()
            ]
            family.add_metric((name, stage), buckets, took.sum_ns / 1e9)
    return family
