"""The simulator's trigger log, read from the scene file by its layout alone.

The layout is what ``daemon/simulator/producer/scene.h`` declares; this is a second reading of it,
on purpose.
"""

import mmap
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096  # bytes
HEADER = struct.Struct("<8sIIQ")  # magic, version, cameras, file size
#: Serial, 8 numbers, rate, places of images and log, log capacity, edges, device's clock.
CONFIG = struct.Struct("<64s8Id5Qqd")
STATE_AT = 1024  # within a camera's page: the device's counter
RECORD = struct.Struct("<5QiI")  # trigger, frame id, acquisition, timestamp, due, image, fate
VERSION = 2
FATES = (
    "pending",
    "delivered",
    "dropped",
    "incomplete",
    "short",
    "resized",
    "underrun",
    "lost",
    "discarded",
)


class SceneError(Exception):
    """The file is not a scene file of a layout that is known here, or has lost records."""


@dataclass(frozen=True)
class TriggerLog:
    """What became of the triggers 1 to n: column [n - 1] is of trigger n."""

    frame_id: "array[int]"
    acquisition: "array[int]"
    timestamp_ns: "array[int]"  # CLOCK_MONOTONIC
    device_ns: "array[int]"  # the same by the device's own clock
    image: "array[int]"
    fate: "array[int]"  # index in FATES

    def __len__(self) -> int:
        return len(self.fate)

    def fate_of(self, trigger: int) -> str:
        return FATES[self.fate[trigger - 1]]


def read(path: Path, serial: str) -> TriggerLog:
    """Read a camera's whole log; raises ``SceneError`` if it is not there, or not all of it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as scene:
        magic, version, cameras, size = HEADER.unpack_from(scene)
        if magic != b"EFFADSCN" or version != VERSION or size != len(scene):
            raise SceneError(f"{path}: magic {magic!r}, version {version}, {size} bytes")
        for page in range(PAGE, PAGE * (1 + cameras), PAGE):
            config = CONFIG.unpack_from(scene, page)
            if config[0].rstrip(b"\0").decode() == serial:
                (triggers,) = struct.unpack_from("<Q", scene, page + STATE_AT)
                log_at, capacity, _edges_at, _edges, offset_ns, ppm = config[-6:]
                return _log(scene, log_at, capacity, triggers, offset_ns, ppm)
    raise SceneError(f"{path}: no camera {serial!r}")


def _log(
    scene: mmap.mmap, at: int, capacity: int, triggers: int, offset_ns: int, ppm: float
) -> TriggerLog:
    if triggers > capacity:
        raise SceneError(f"{triggers} triggers, and the log keeps {capacity}")
    log = TriggerLog(array("Q"), array("Q"), array("Q"), array("Q"), array("i"), array("B"))
    records = RECORD.iter_unpack(memoryview(scene)[at : at + triggers * RECORD.size])
    for number, record in enumerate(records, start=1):
        trigger, frame_id, acquisition, timestamp_ns, _due, image, fate = record
        if trigger != number or fate >= len(FATES):
            raise SceneError(f"record {number} says trigger {trigger}, fate {fate}")
        log.frame_id.append(frame_id)
        log.acquisition.append(acquisition)
        log.timestamp_ns.append(timestamp_ns)
        log.device_ns.append(timestamp_ns + offset_ns + int(timestamp_ns * ppm * 1e-6))
        log.image.append(image)
        log.fate.append(fate)
    return log
