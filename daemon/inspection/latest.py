"""The last frame of each camera that was inspected, with its map: what an operator looks at."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.messages import PixelInfo, Verdict
from daemon.parts import Inspected
from daemon.replies import SnapshotInfo
from models.errors import InputError


@dataclass(frozen=True, eq=False)
class _Shown:
    verdict: Verdict
    result: Inspected


class Latest:
    """Holds one slot of each camera, without a copy, until a newer frame takes its place."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], _Shown] = {}
        self._lock = threading.Lock()

    def show(self, verdict: Verdict, camera: str, result: Inspected) -> None:
        """Put a result in the place of the one before; its frame's lease is shared."""
        result.frame.lease.share()
        with self._lock:
            before = self._shown.get((verdict.station, camera))
            self._shown[verdict.station, camera] = _Shown(verdict, result)
        if before is not None:
            before.result.frame.lease.let_go()

    def snapshot(
        self, station: str, camera: str
    ) -> tuple[SnapshotInfo, NDArray[np.uint8] | NDArray[np.uint16], NDArray[np.float32]]:
        """Give copies of the last frame and its map; raises ``InputError`` if there is none."""
        with self._lock:
            shown = self._shown.get((station, camera))
            if shown is None:
                raise InputError(f"station {station}, camera {camera}: nothing was inspected yet")
            shown.result.frame.lease.share()
        try:
            pixels = shown.result.frame.pixels.copy()
        finally:
            shown.result.frame.lease.let_go()
        anomaly = shown.result.anomaly
        values = np.ascontiguousarray(anomaly.values.numpy(), np.float32)
        info = SnapshotInfo(
            station=station,
            camera=camera,
            seq=shown.verdict.seq,
            frame=PixelInfo(
                pixel_format=shown.result.frame.pixel_format.value,
                dtype="uint16" if pixels.dtype == np.uint16 else "uint8",
                shape=pixels.shape,
            ),
            map_shape=(values.shape[0], values.shape[1]),
            score=anomaly.score,
            threshold=shown.verdict.threshold or 0.0,
        )
        return info, pixels, values

    def clear(self) -> None:
        """Let go of all that is held."""
        with self._lock:
            shown, self._shown = list(self._shown.values()), {}
        for one in shown:
            one.result.frame.lease.let_go()
