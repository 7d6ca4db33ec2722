"""Every metric that effad exports but the latency: its name, what it says, where it is read.

Names follow Prometheus' conventions: base units, and ``_total`` for what only grows.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from daemon.metrics.gpu import GpuReading
from daemon.metrics.reading import (
    ArchiveReading,
    CameraReading,
    DriftReading,
    JournalReading,
    QueueReading,
    Reading,
    StationReading,
)

T = TypeVar("T")
Items: TypeAlias = Collection[tuple[Sequence[str], T]]  # labels' values, and what has them


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A metric, and how it is taken from what it is of; None: not known, left out."""

    name: str
    text: str
    value: Callable[[T], float | None]

    def family(self, labels: Sequence[str], items: Items[T]) -> Metric:
        """Give its samples."""
        counts = self.name.endswith("_total")
        make = CounterMetricFamily if counts else GaugeMetricFamily
        family = make(self.name, self.text, labels=labels)
        for values, item in items:
            value = self.value(item)
            if value is not None:
                family.add_metric(values, value)
        return family


def _itself(value: float) -> float:
    return value


DAEMON: tuple[Entry[Reading], ...] = (
    Entry(
        "effad_start_time_seconds",
        "When this run of the daemon began, of the Unix epoch.",
        lambda reading: reading.epoch / 1e9,
    ),
    Entry(
        "effad_invariant_violated",
        "1 once the account of triggers and verdicts did not add up.",
        lambda reading: reading.invariant_violated,
    ),
)
STATE = Entry("effad_state", "1 for the state of OPC 40100-1 that effad is in, else 0.", _itself)
ALARMS = Entry("effad_alarms_total", "Alarms published, by code.", _itself)
SUBSCRIBERS = Entry("effad_subscribers", "Peers of a socket.", _itself)
REQUESTS = Entry(
    "effad_control_requests_total",
    "Requests on the control socket, by what became of them.",
    _itself,
)

STATION: tuple[Entry[StationReading], ...] = (
    Entry(
        "effad_triggers_total",
        "Triggers known: those with a verdict, and those open.",
        lambda station: station.counts.triggers,
    ),
    Entry("effad_open", "Triggers that wait for their verdict.", lambda station: station.open),
    Entry(
        "effad_bypassed_total",
        "Verdicts PASS of parts that nobody looked at.",
        lambda station: station.tallied.bypassed,
    ),
    Entry("effad_bypass", "1 while parts pass uninspected.", lambda station: station.bypass),
)
VERDICTS = Entry("effad_verdicts_total", "Verdicts by kind, NO_VERDICT also by reason.", _itself)

CAMERA: tuple[Entry[CameraReading], ...] = (
    Entry("effad_frames_total", "Frames that came.", lambda camera: camera.frames),
    Entry("effad_camera_up", "1 while the camera acquires.", lambda camera: camera.up),
    Entry(
        "effad_camera_restarts_total",
        "Restarts of the camera's process.",
        lambda camera: camera.restarts,
    ),
    Entry("effad_slots", "Frames that its shared memory can hold.", lambda camera: camera.slots),
    Entry("effad_slots_free", "Slots without a frame.", lambda camera: camera.slots_free),
)

DRIFT: tuple[Entry[DriftReading], ...] = (
    Entry(
        "effad_drift_level",
        "How far good parts are from the calibration: -1 and 1 are where it is told.",
        lambda drift: drift.level,
    ),
    Entry("effad_drift", "1 while a drift is told.", lambda drift: drift.over),
)

QUEUE: tuple[Entry[QueueReading], ...] = (
    Entry("effad_queue_depth", "Items that wait in a queue.", lambda queue: queue.depth),
    Entry("effad_queue_capacity", "Items that it can hold.", lambda queue: queue.capacity),
)

JOURNAL: tuple[Entry[JournalReading], ...] = (
    Entry(
        "effad_journal_size_bytes",
        "The journal's database and write-ahead log.",
        lambda journal: journal.size_bytes,
    ),
    Entry(
        "effad_journal_waiting",
        "Verdicts that are not committed yet.",
        lambda journal: journal.waiting,
    ),
    Entry(
        "effad_journal_lag_seconds",
        "How long the oldest of those has waited.",
        lambda journal: journal.oldest_wait_s,
    ),
    Entry(
        "effad_journal_checkpoint_age_seconds",
        "Since the write-ahead log was last written back.",
        lambda journal: journal.checkpoint_age_s,
    ),
    Entry(
        "effad_journal_set_aside_total",
        "Damaged journals that were set aside.",
        lambda journal: journal.set_aside,
    ),
)

ARCHIVE: tuple[Entry[ArchiveReading], ...] = (
    Entry("effad_archive_images_total", "Images kept.", lambda archive: archive.kept),
    Entry(
        "effad_archive_size_bytes",
        "What images and maps take on the disk.",
        lambda archive: archive.size_bytes,
    ),
    Entry(
        "effad_archive_budget_bytes",
        "What they may take before the oldest go.",
        lambda archive: archive.budget_bytes,
    ),
)
LOST_IMAGES = Entry(
    "effad_archive_lost_images_total",
    "Images that were to be kept and were not, by cause.",
    _itself,
)

GPU: tuple[Entry[GpuReading], ...] = (
    Entry("effad_gpu_memory_bytes", "Memory of the device.", lambda gpu: gpu.memory_bytes),
    Entry(
        "effad_gpu_memory_free_bytes",
        "Memory of the device that no program uses.",
        lambda gpu: gpu.free_bytes,
    ),
    Entry(
        "effad_gpu_memory_allocated_bytes",
        "Memory of the device that the daemon's networks use.",
        lambda gpu: gpu.allocated_bytes,
    ),
    Entry(
        "effad_gpu_temperature_celsius",
        "Temperature of the device, where pynvml is installed.",
        lambda gpu: gpu.celsius,
    ),
)
