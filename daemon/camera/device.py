"""A GenICam camera through harvesters: the only module that imports harvesters.

Every trap that is handled here is described, with measurements, in harvesters' issues 246, 371,
202, 475, 498 and 508.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genicam import genapi, gentl
from harvesters.core import Callback, Harvester, ImageAcquirer, ParameterKey, ParameterSet

from daemon.camera.buffer import (
    BUFFER_ERRORS,
    CAMERA_ERRORS,
    Delivered,
    Incomplete,
    Monitor,
    delivered,
)
from daemon.camera.clock import Latch
from daemon.messages import TriggerSource
from models.errors import InputError

#: What latches the camera's clock, where it can be read then, and the frequency of its ticks: as
#: cameras have it, the older GigE Vision ones last. Without a frequency it counts ns.
_LATCHES = (
    ("TimestampLatch", "TimestampLatchValue", None),
    ("GevTimestampControlLatch", "GevTimestampValue", "GevTimestampTickFrequency"),
)
_TRIGGERS = {TriggerSource.SOFTWARE: "Software", TriggerSource.HARDWARE: "Line0"}


class Camera:
    """One camera, opened; made and used in one thread."""

    def __init__(self, producer: Path, serial: str, buffers: int) -> None:
        """Open the camera with this serial, or the only one where it is empty.

        Raises ``InputError`` if there is no such camera, or not one but several.
        """
        self._buffers = buffers
        self._incomplete: list[Incomplete] = []
        logger = logging.getLogger("harvesters")  # else its warnings go to a logger that is mute
        logger.setLevel(logging.WARNING)
        self._harvester = Harvester(logger=logger)
        self._harvester.add_file(str(producer), check_existence=True)
        self._harvester.update()
        found = {_serial(d): d for d in self._harvester.device_info_list}
        if not found:
            raise InputError(
                f"{producer}: no camera found; check power, cable, network and permissions"
            )
        if serial and serial not in found:
            raise InputError(f"{producer}: no camera with serial {serial!r}; it has {_list(found)}")
        if not serial and len(found) > 1:
            raise InputError(
                f"{producer}: {len(found)} cameras, so the settings must name a 'serial':"
                f" {_list(found)}"
            )
        self.serial = serial or next(iter(found))
        self.vendor = str(found[self.serial].vendor)
        self.model = str(found[self.serial].model)
        self._acquirer = self._create()

    def _create(self) -> ImageAcquirer:
        config = ParameterSet({ParameterKey.ENABLE_AUTO_CHUNK_DATA_UPDATE: False})
        index = [_serial(d) for d in self._harvester.device_info_list].index(self.serial)
        acquirer = self._harvester.create(index, config=config)
        acquirer.num_buffers = self._buffers
        # Waiting holds Python's global lock (issue 508): there is no other thread here.
        acquirer.timeout_period_on_client_fetch_call = 1.0  # or it warns of each longer wait
        acquirer.timeout_period_on_update_event_data_call = self._wait_ms = 0
        acquirer.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, _Callback(self._note))
        return acquirer

    def _note(self) -> None:
        known = [m.frame_id for m in self._monitors().values() if isinstance(m, Monitor)]
        self._incomplete.append(Incomplete(known[0] if known else None))

    def _monitors(self) -> dict[Any, Any]:
        """Give harvesters' own monitors of new buffers, by stream."""
        return getattr(self._acquirer, "_new_buffer_event_monitor_dict", {})

    def node(self, name: str) -> Any:
        """Read a node's value; None where the camera has no such node, or it is not readable.

        Raises ``CAMERA_ERRORS`` if the camera does not answer.
        """
        node = getattr(self._acquirer.remote_device.node_map, name, None)
        if node is None:
            return None
        try:
            return node.value
        except (genapi.AccessException, genapi.LogicalErrorException, AttributeError):
            return None

    def write(self, name: str, value: object) -> None:
        """Set a node's value; raises ``CAMERA_ERRORS``, or AttributeError where there is none."""
        getattr(self._acquirer.remote_device.node_map, name).value = value

    def counter(self) -> int | None:
        """Give how many triggers the device has counted; None where it cannot count."""
        value = self.node("CounterValue")
        return None if value is None else int(value)

    def latch(self) -> Latch | None:
        """Read the camera's clock beside the host's; None where it has no latch.

        Raises ``CAMERA_ERRORS`` if the camera does not answer.
        """
        nodes = self._acquirer.remote_device.node_map
        for command, value, frequency in _LATCHES:
            try:
                before = time.monotonic_ns()
                getattr(nodes, command).execute()
                after = time.monotonic_ns()
                ticks = int(getattr(nodes, value).value)
                hertz = 10**9 if frequency is None else int(getattr(nodes, frequency).value)
            except (genapi.AccessException, genapi.LogicalErrorException, AttributeError):
                continue
            if hertz > 0:
                return Latch(before, ticks * 10**9 // hertz, after)
        return None

    def alive(self) -> bool:
        """Ask the device something that no cache can answer."""
        try:
            if self.latch() is None:
                self._acquirer.remote_device.node_map.Width.value  # noqa: B018 (better than nothing)
        except CAMERA_ERRORS:
            return False
        return True

    def set_trigger(self, source: TriggerSource) -> None:
        """Make the camera take frames by itself, at a command, or at its line.

        Raises ``InputError`` where the camera cannot.
        """
        nodes = self._acquirer.remote_device.node_map
        if getattr(nodes, "TriggerMode", None) is None:
            if source is TriggerSource.FREE_RUN:
                return
            raise InputError(f"camera {self.serial}: has no trigger; set trigger = 'free_run'")
        try:
            nodes.TriggerSelector.value = "FrameStart"
            nodes.TriggerMode.value = "Off" if source is TriggerSource.FREE_RUN else "On"
            if source is not TriggerSource.FREE_RUN:
                nodes.TriggerSource.value = _TRIGGERS[source]
        except (*CAMERA_ERRORS, AttributeError) as error:
            raise InputError(
                f"camera {self.serial}: cannot be triggered by {source} ({_one_line(error)})"
            ) from error

    def start(self) -> None:
        self._incomplete.clear()
        self._acquirer.start()
        monitors = self._monitors()
        for stream, monitor in monitors.items():
            if not isinstance(monitor, Monitor):
                monitors[stream] = Monitor(monitor)

    def software_trigger(self) -> None:
        """Raises ``CAMERA_ERRORS`` or AttributeError if the camera refuses."""
        self._acquirer.remote_device.node_map.TriggerSoftware.execute()

    def fetch(self, wait_ms: int = 0) -> Delivered | Incomplete | None:
        """Take the next buffer, or None if none comes within so many ms.

        Raises ``CAMERA_ERRORS`` if the driver does, ``BUFFER_ERRORS`` if the buffer is absurd.
        """
        if self._incomplete:
            return self._incomplete.pop(0)
        if wait_ms != self._wait_ms:
            self._acquirer.timeout_period_on_update_event_data_call = self._wait_ms = wait_ms
        # It looks again until this has passed: so once, whatever the driver's wait.
        raw = self._acquirer.try_fetch(timeout=wait_ms * 5e-4 + 1e-6, is_raw=True)
        if raw is None:
            return self._incomplete.pop(0) if self._incomplete else None
        try:
            return delivered(raw)
        except BUFFER_ERRORS:
            raw.parent.queue_buffer(raw, False)  # else the stream starves after a few of these
            raise

    def stop_triggers(self) -> None:
        """Make the camera take no more frames; those under way can still be fetched."""
        self._acquirer.remote_device.node_map.AcquisitionStop.execute()

    def stop(self) -> None:
        """Stop the acquisition; raises ``CAMERA_ERRORS`` if the camera is gone."""
        self._acquirer.stop()

    def abandon(self) -> None:
        """Take the streams and handles back from a camera that is gone.

        Without the KILL of each stream everything after fails for ever (issues 246, 371, 202).
        """
        for step in (self._acquirer.stop, *[_killer(s) for s in self._acquirer.data_streams]):
            try:
                step()
            except (*CAMERA_ERRORS, AttributeError):
                logging.getLogger("harvesters").debug("a lost camera refuses to stop")
        try:
            self._acquirer.destroy()
        except CAMERA_ERRORS:
            logging.getLogger("harvesters").debug("a lost camera refuses to close")

    def find_again(self) -> bool:
        """Look for the camera after ``abandon``; True if it is open again."""
        try:
            self._harvester.update()
            found = [_serial(d) for d in self._harvester.device_info_list]
            if self.serial not in found:
                return False
            self._acquirer = self._create()
        except CAMERA_ERRORS:
            return False
        return True

    def close(self) -> None:
        """Close the camera and its producer; a camera that is gone is no error here."""
        for step in (self._acquirer.destroy, self._harvester.reset):
            try:
                step()
            except (*CAMERA_ERRORS, AttributeError):
                logging.getLogger("harvesters").debug("a lost camera refuses to close")


class _Callback(Callback):  # type: ignore[misc]
    """What harvesters calls back must be an instance of its own class."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def emit(self, context: object = None) -> None:
        self._call()


def _serial(info: Any) -> str:
    """Give a camera's serial number, or its id where the producer knows none."""
    return str(info.serial_number or info.id_)


def _killer(stream: Any) -> Callable[[], None]:
    def kill() -> None:
        stream.stop_acquisition(gentl.ACQ_STOP_FLAGS_LIST.ACQ_STOP_FLAGS_KILL)

    return kill


def _list(serials: dict[str, Any]) -> str:
    return ", ".join(repr(s) for s in sorted(serials))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
