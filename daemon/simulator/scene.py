"""What the simulated cameras see and do: one mapped file, shared with producer/effad.cti.

The file named by the environment variable EFFAD_SCENE holds each camera's images and settings,
takes faults and hardware trigger edges while cameras run, and keeps the log of what became of each
trigger.
"""

import fcntl
import mmap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from daemon.simulator import scene_file
from daemon.simulator.scene_file import CameraScene, TriggerMode
from models.pixel_format import PixelFormat

__all__ = [
    "CameraScene",
    "Fate",
    "Fault",
    "OutputEdge",
    "PixelFormat",
    "Scene",
    "TriggerMode",
    "TriggerRecord",
]


class Fault(StrEnum):
    """What goes wrong. The first four happen to the next `amount` frames, one fault a frame."""

    DROP = "drop"  # lost in transport: its FrameID is used up, no buffer comes
    INCOMPLETE = "incomplete"  # BUFFER_INFO_IS_INCOMPLETE, half of it filled
    SHORT = "short"  # says it is complete, size_filled is half
    RESIZE = "resize"  # half as high as configured
    STALL = "stall"  # nothing is delivered for `amount` ms, then what has piled up comes at once
    LOST = "lost"  # gone for `amount` ms; what was open stays dead and has to be opened again


class Fate(StrEnum):
    """What became of a trigger; final once it is not PENDING. The order is producer/scene.h's."""

    PENDING = "pending"
    DELIVERED = "delivered"  # taken by the consumer, as are INCOMPLETE, SHORT and RESIZED
    DROPPED = "dropped"
    INCOMPLETE = "incomplete"
    SHORT = "short"
    RESIZED = "resized"
    UNDERRUN = "underrun"  # no buffer was queued
    LOST = "lost"  # the device went away first, or was away
    DISCARDED = "discarded"  # the acquisition ended first, or none was running, or the process died


@dataclass(frozen=True)
class TriggerRecord:
    trigger: int  # the device's counter, from 1; nothing resets it
    frame_id: int  # within the acquisition, from 1; 0: an edge on the line that made no frame
    acquisition: int  # from 1; 0 where frame_id is
    timestamp_ns: int  # CLOCK_MONOTONIC, at the trigger; an edge is seen up to 1 ms late. The
    # buffer has it too, brought to the device's clock, which is the same unless the scene says so
    image: int  # index in CameraScene.images; -1 where frame_id is 0
    fate: Fate


@dataclass(frozen=True)
class OutputEdge:
    """An output of the device has changed: what a gate at that line sees."""

    timestamp_ns: int  # CLOCK_MONOTONIC
    output: str  # as node LineSelector names it, such as "Line1"
    value: bool  # its level from now on; all are low at power-up


_FRAME_FAULTS = (Fault.DROP, Fault.INCOMPLETE, Fault.SHORT, Fault.RESIZE)  # as in scene.h
_FATES = tuple(Fate)


class Scene:
    """A scene file, open. Several threads and processes may use one at once."""

    def __init__(self, path: Path) -> None:
        """Maps an existing file. Raises OSError, and ValueError if it is not a whole scene file."""
        self.path = path.resolve()
        self._mutex = threading.Lock()
        self._file = self.path.open("r+b")
        try:
            self._map = mmap.mmap(self._file.fileno(), 0)
            self._cameras = dict(scene_file.views(self._map))
        except (ValueError, TypeError) as error:  # TypeError: numpy, of views beyond the end
            self._file.close()
            raise ValueError(f"scene {self.path} cannot be used: {error}") from None

    @classmethod
    def create(
        cls, path: Path, cameras: Sequence[CameraScene], *, log_capacity: int = 1 << 20
    ) -> Self:
        """Writes the file, in the place of any other, and opens it.

        log_capacity: records kept for each camera, the newest; the file is sparse until they come,
        and a disk takes milliseconds, now and then, to make room: use /dev/shm where time counts.
        Raises ValueError for a scene that no camera could have, OSError where it cannot be written.
        """
        if log_capacity < 64:
            raise ValueError(f"log_capacity is {log_capacity}, 64 is the least")
        scene_file.check(cameras)
        scene_file.write(path, cameras, log_capacity)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """As Scene(path)."""
        return cls(path)

    def environ(self) -> dict[str, str]:
        """What a process needs in its environment to see these cameras."""
        return {"EFFAD_SCENE": str(self.path)}

    @property
    def serials(self) -> tuple[str, ...]:
        return tuple(self._cameras)

    def fault(self, serial: str, kind: Fault, amount: int = 1) -> None:
        """Asks for a fault. amount: frames, or milliseconds for STALL and LOST.

        Raises KeyError for an unknown serial, ValueError for an amount below 1.
        """
        if amount < 1:
            raise ValueError(f"amount is {amount}, 1 is the least")
        with self._control(serial) as control:
            if kind in _FRAME_FAULTS:
                control["faults"][_FRAME_FAULTS.index(kind)] += amount
                return
            until = time.monotonic_ns() + amount * 1_000_000
            if kind is Fault.STALL:
                control["stalled_until_ns"] = until
            else:
                control["lost_until_ns"] = until
                control["losses"] += 1

    def pulse(self, serial: str, n: int = 1) -> None:
        """Puts n edges on the hardware trigger line. With no process at the camera they wait.

        Raises KeyError for an unknown serial, ValueError for n below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}, 1 is the least")
        with self._control(serial) as control:
            control["pulses"] += n

    def log(self, serial: str, after: int = 0) -> list[TriggerRecord]:
        """Triggers later than number `after`, in order; the oldest are gone if the log was full.

        Raises KeyError for an unknown serial.
        """
        camera = self._cameras[serial]
        capacity = len(camera.log)
        newest = self.triggers(serial)  # read first: the records up to it are whole
        first = max(after, newest - capacity, 0)
        rows = camera.log[np.arange(first, newest) % capacity]
        lapped = self.triggers(serial) - capacity  # overwritten while we read
        return [_record(row) for row in rows if row["trigger"] > lapped]

    def output_log(self, serial: str) -> list[OutputEdge]:
        """Edges of the device's outputs, in order; the oldest are gone if the log was full.

        Raises KeyError for an unknown serial.
        """
        camera = self._cameras[serial]
        capacity = len(camera.edges)
        newest = int(camera.state["edges"])  # read first: the edges up to it are whole
        rows = camera.edges[np.arange(max(newest - capacity, 0), newest) % capacity]
        return [
            OutputEdge(int(at), f"Line{line}", bool(level)) for at, line, level in rows.tolist()
        ]

    def run_encoder(self, serial: str, hz: float, count: float | None = None) -> None:
        """Let the belt run at hz counts per second, from `count` or where it is.

        Raises KeyError for an unknown serial.
        """
        with self._control(serial) as control:
            now = time.monotonic_ns()
            base = _counts(control, now) if count is None else count
            following = int(control["encoder_now"]) + 1
            control["encoder"][following % 2] = (now, base, hz)  # the device reads the other yet
            control["encoder_now"] = following

    def encoder(self, serial: str) -> int:
        """Node EncoderValue: counts modulo 2**32. Raises KeyError for an unknown serial."""
        return int(_counts(self._cameras[serial].control, time.monotonic_ns()) // 1) % (1 << 32)

    def triggers(self, serial: str) -> int:
        """The device's counter, node CounterValue. Raises KeyError for an unknown serial."""
        return int(self._cameras[serial].state["triggers"])

    def close(self) -> None:
        """Closes this view of the file; cameras keep theirs."""
        self._cameras = {}
        self._map.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _control(self, serial: str) -> Iterator[NDArray[np.void]]:
        """The camera's control block; the file's lock makes += whole among processes."""
        control = self._cameras[serial].control
        with self._mutex:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield control
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


def _counts(control: NDArray[np.void], now_ns: int) -> float:
    since_ns, base, hz = control["encoder"][int(control["encoder_now"]) % 2].item()
    return float(base + hz * (now_ns - since_ns) * 1e-9)


def _record(row: np.void) -> TriggerRecord:
    trigger, frame_id, acquisition, timestamp_ns, _, image, fate = row.item()
    return TriggerRecord(trigger, frame_id, acquisition, timestamp_ns, image, _FATES[fate])
