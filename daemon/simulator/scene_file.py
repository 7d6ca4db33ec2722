"""Writing a scene file, and finding the cameras in one."""

import mmap
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from daemon.simulator import layout
from daemon.simulator.pixels import encode
from models.pixel_format import PixelFormat


class TriggerMode(StrEnum):
    """How a camera triggers when it is opened; its nodes change that until it is closed."""

    FREE_RUN = "free_run"
    SOFTWARE = "software"
    HARDWARE = "hardware"


@dataclass(frozen=True)
class CameraScene:
    """A camera and what it sees.

    images: (H, W, 3) uint8 RGB, (H, W) uint8 grey or, for Mono12, (H, W) uint16; all of one size.
    Trigger n sees images[(n - 1) % len(images)], over restarts too.
    """

    serial: str  # 1..63 characters of printable ASCII
    images: Sequence[NDArray[Any]]
    pixel_format: PixelFormat = PixelFormat.MONO8
    rate_hz: float = 10.0  # of free run, up to 1e6; 0: as fast as buffers are queued
    trigger: TriggerMode = TriggerMode.FREE_RUN
    loop: bool = True  # False: free run ends with the trigger of the last image
    clock_offset_ns: int = 0  # the device's clock less CLOCK_MONOTONIC, when that was 0
    clock_ppm: float = 0.0  # how much faster it runs
    latch: bool = True  # False: without TimestampLatch, as on cameras with timestamps alone
    encoder_hz: float = 0.0  # counts per second; Scene.run_encoder changes it


@dataclass(frozen=True)
class CameraViews:
    """0-dimensional views of layout.CONTROL and STATE, the rings of layout.RECORD and EDGE."""

    control: NDArray[np.void]
    state: NDArray[np.void]
    log: NDArray[np.void]
    edges: NDArray[np.void]


def check(cameras: Sequence[CameraScene]) -> None:
    """Raises ValueError for cameras that no scene could have; images are checked when encoded."""
    if not 1 <= len(cameras) <= layout.MAX_CAMERAS:
        raise ValueError(f"{len(cameras)} cameras: a scene has 1 to {layout.MAX_CAMERAS}")
    serials = [camera.serial for camera in cameras]
    if len(set(serials)) < len(serials):
        raise ValueError(f"serials are not unique: {', '.join(serials)}")
    for camera in cameras:
        serial = camera.serial
        if not (1 <= len(serial) <= 63 and serial.isascii() and serial.isprintable()):
            raise ValueError(f"serial {serial!r} is not 1 to 63 characters of printable ASCII")
        if not 0 <= camera.rate_hz <= 1e6:
            raise ValueError(f"camera {serial}: rate_hz is {camera.rate_hz}, not in 0..1e6")
        if not 0 <= camera.clock_offset_ns <= 1 << 62:
            raise ValueError(f"camera {serial}: clock_offset_ns is not in 0..2**62")
        if not abs(camera.clock_ppm) <= 1e4:
            raise ValueError(f"camera {serial}: clock_ppm is {camera.clock_ppm}, not in -1e4..1e4")
        if not abs(camera.encoder_hz) <= 1e9:
            raise ValueError(
                f"camera {serial}: encoder_hz is {camera.encoder_hz}, not in -1e9..1e9"
            )
        if not camera.images:
            raise ValueError(f"camera {serial} has no images")
        sizes = {image.shape[:2] for image in camera.images}
        if len(sizes) > 1:
            raise ValueError(f"camera {serial}: images differ in size: {sorted(sizes)}")
        (size,) = sizes
        if len(size) < 2 or not all(2 <= side <= 65536 for side in size):
            raise ValueError(f"camera {serial}: images of {size}: sides have 2 to 65536 pixels")


def write(path: Path, cameras: Sequence[CameraScene], log_capacity: int) -> None:
    """Puts a scene file at path in one step; who has the one before it mapped keeps that."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, cameras, log_capacity)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)  # it is still there if something failed


def _write(file: BinaryIO, cameras: Sequence[CameraScene], log_capacity: int) -> None:
    end = layout.PAGE * (1 + len(cameras))
    for index, camera in enumerate(cameras):
        config = _config(camera)
        config["images_offset"] = end
        file.seek(end)
        for image in camera.images:  # not through a map: a full disk is an error, not a signal
            file.write(np.ascontiguousarray(_encoded(camera, image)).data)
        config["log_offset"] = end = layout.page_up(file.tell())
        config["log_capacity"] = log_capacity
        config["edges_offset"] = end = layout.page_up(end + log_capacity * layout.RECORD.itemsize)
        config["edges_capacity"] = 2 * log_capacity  # a pulse has two
        end = layout.page_up(end + 2 * log_capacity * layout.EDGE.itemsize)
        file.seek(layout.PAGE * (1 + index) + layout.CONFIG_AT)
        file.write(config.tobytes())
        file.seek(layout.PAGE * (1 + index) + layout.CONTROL_AT)
        file.write(_control(camera).tobytes())
    header = np.array((layout.MAGIC, layout.VERSION, len(cameras), end), layout.HEADER)
    file.seek(0)
    file.write(header.tobytes())
    file.flush()
    os.truncate(file.fileno(), end)


def _encoded(camera: CameraScene, image: NDArray[Any]) -> NDArray[np.generic]:
    try:
        return encode(image, camera.pixel_format)
    except ValueError as error:
        raise ValueError(f"camera {camera.serial}: {error}") from None


def _config(camera: CameraScene) -> NDArray[np.void]:
    config = np.zeros((), layout.CONFIG)
    config["serial"] = camera.serial.encode()
    config["pixel_format"] = camera.pixel_format.code
    config["bytes_per_pixel"] = camera.pixel_format.bytes_per_pixel
    config["height"], config["width"] = camera.images[0].shape[:2]
    config["images"] = len(camera.images)
    config["trigger_mode"] = list(TriggerMode).index(camera.trigger)
    config["loop"] = camera.loop
    config["rate_hz"] = camera.rate_hz
    config["latch"] = camera.latch
    config["clock_offset_ns"] = camera.clock_offset_ns
    config["clock_ppm"] = camera.clock_ppm
    return config


def _control(camera: CameraScene) -> NDArray[np.void]:
    control = np.zeros((), layout.CONTROL)
    control["encoder"][0] = (time.monotonic_ns(), 0.0, camera.encoder_hz)
    return control


def views(mapped: mmap.mmap) -> Iterator[tuple[str, CameraViews]]:
    """The cameras of a mapped scene file, with their serials. ValueError if it is not whole."""
    header = np.ndarray((), layout.HEADER, mapped)
    if len(mapped) < layout.PAGE or header["magic"].item() != layout.MAGIC:
        raise ValueError("not a scene file")
    if header["version"].item() != layout.VERSION:
        raise ValueError(f"version {header['version']}, this effad reads {layout.VERSION}")
    if header["file_size"].item() != len(mapped):
        raise ValueError("truncated")
    for index in range(header["cameras"].item()):
        page = layout.PAGE * (1 + index)
        config = np.ndarray((), layout.CONFIG, mapped, page + layout.CONFIG_AT)
        log = np.ndarray(
            config["log_capacity"].item(), layout.RECORD, mapped, config["log_offset"].item()
        )
        control = np.ndarray((), layout.CONTROL, mapped, page + layout.CONTROL_AT)
        state = np.ndarray((), layout.STATE, mapped, page + layout.STATE_AT)
        edges = np.ndarray(
            config["edges_capacity"].item(), layout.EDGE, mapped, config["edges_offset"].item()
        )
        yield config["serial"].item().decode(), CameraViews(control, state, log, edges)
