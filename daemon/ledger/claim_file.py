"""Open claims in a small mapped file, so that they survive whatever kills the process.

Verdicts of a station are committed in order, so what is open is a range: after the newest committed
number, up to the newest opened one. Both are kept, and beside them what is known of each open part,
in a ring. A page of memory that was written is the kernel's: only a power cut loses it.

A run that is killed before it has heard its cameras leaves what the run before it had left.
"""

import json
import mmap
import os
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.messages import Part
from models.errors import InputError
from models.records import sync

FILE = "claims"
_MAGIC = b"EFFADCLM"
_VERSION = 1
_HEADER = struct.Struct("<8sIIQ")  # magic, version, bytes of layout, alive_ns; then layout as JSON
_ALIVE_AT = 16
_PAGE = 4096
#: A station's newest opened and newest committed number; then each camera's newest trigger, and by
#: what triggers exceed the device's own counter, with ``_HEARD``.
_TWO = struct.Struct("<QQ")
_HEARD = 1 << 63  # the camera has acquired: that it had no trigger then is known of it too
_NUMBER = struct.Struct("<Q")
#: Number, ns of the Unix epoch, first camera's trigger, bytes of the part's JSON that follow.
_RECORD = struct.Struct("<QQQI")
_RECORD_SIZE = 1024
_MOST_OPEN = 10_000_000  # more is damage
_MOST_CAMERAS = _PAGE // _TWO.size - 1


@dataclass(frozen=True)
class LeftOpen:
    """A part that was open when the process ended."""

    number: int
    part: Part
    known_ns: int  # ns of the Unix epoch
    trigger: int | None  # of the station's first camera, where that was known


@dataclass(frozen=True)
class Left:
    """What a station's claims say after a restart."""

    committed: int  # newest number whose verdict was committed
    open: tuple[LeftOpen, ...]  # ascending, without a hole
    #: Newest known trigger of each camera, and its shift; without those that never acquired.
    triggers: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class LeftBehind:
    """What the process before this one left."""

    alive_ns: int  # its last sign of life, ns of the Unix epoch
    stations: Mapping[str, Left]


class ClaimFile:
    """The claims of this process. Every method is called with the ledger's lock held."""

    def __init__(self, path: Path, stations: Mapping[str, Sequence[str]], capacity: int) -> None:
        """Begin a new file for stations and their cameras, in the place of any other.

        ``capacity``: open parts of each station that can be described; more are still counted.
        Raises ``InputError`` if it cannot be written.
        """
        cameras = {name: tuple(names) for name, names in stations.items()}
        if any(len(names) > _MOST_CAMERAS for names in cameras.values()):
            raise InputError(f"a station has more than {_MOST_CAMERAS} cameras")
        layout = json.dumps({"capacity": capacity, "stations": cameras}).encode()
        self._capacity = capacity
        self._cameras = {name: {c: n for n, c in enumerate(cs)} for name, cs in cameras.items()}
        head = _pages(_HEADER.size + len(layout))
        stride = _PAGE + _pages(capacity * _RECORD_SIZE)
        self._at = {name: head + index * stride for index, name in enumerate(cameras)}
        size = head + len(cameras) * stride
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with partial.open("wb+") as file:
                os.posix_fallocate(file.fileno(), 0, size)  # else a full disk is a signal later
                self._map = mmap.mmap(file.fileno(), size)
            _HEADER.pack_into(self._map, 0, _MAGIC, _VERSION, len(layout), time.time_ns())
            self._map[_HEADER.size : _HEADER.size + len(layout)] = layout
            self._map.flush()
            self._partial, self._path = partial, path
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise InputError(
                f"{path}: cannot keep open claims there ({error.strerror}); free"
                f" {size / 1e6:.0f} MB, or set journal.folder to another place"
            ) from error

    def begin(
        self,
        committed: Mapping[str, int],
        left: Mapping[str, Left] | None = None,
        alive_ns: int | None = None,
    ) -> None:
        """Take the place of the file before, which may be read until then.

        ``left``: what that holds, and this process has yet to account for; ``alive_ns`` (Unix
        epoch): until when all is accounted for, None: until now.
        """
        for station, number in committed.items():
            if station in self._at:
                _TWO.pack_into(self._map, self._at[station], number, number)
                if left and station in left:
                    self._take_over(station, left[station])
        if alive_ns is not None:
            _NUMBER.pack_into(self._map, _ALIVE_AT, alive_ns)
        os.replace(self._partial, self._path)
        sync(self._path.parent)

    def _take_over(self, station: str, left: Left) -> None:
        for part in left.open:
            self.opened(station, part.number, part.known_ns, part.part, part.trigger)
        for camera, (trigger, shift) in left.triggers.items():
            if camera in self._cameras[station]:
                self.started(station, camera, trigger, shift)

    def opened(
        self, station: str, number: int, known_ns: int, part: Part, trigger: int | None = None
    ) -> None:
        """Write a claim down before anybody acts on it (ns of the Unix epoch).

        ``trigger``: of the station's first camera, where it is known already.
        """
        at = self._at[station]
        named = b"" if part == _UNNAMED else part.model_dump_json(exclude_none=True).encode()
        if len(named) > _RECORD_SIZE - _RECORD.size:
            named = b""  # cut, it would be no JSON; the part's number is what counts
        record = at + _PAGE + number % self._capacity * _RECORD_SIZE
        _RECORD.pack_into(self._map, record, number, known_ns, trigger or 0, len(named))
        self._map[record + _RECORD.size : record + _RECORD.size + len(named)] = named
        if number > _NUMBER.unpack_from(self._map, at)[0]:  # else it was taken over
            _NUMBER.pack_into(self._map, at, number)  # last: what it counts is written

    def trigger(self, station: str, camera: str, trigger: int) -> None:
        """Note a camera's newest known trigger."""
        _NUMBER.pack_into(self._map, self._camera_at(station, camera), trigger)

    def started(self, station: str, camera: str, trigger: int, shift: int) -> None:
        """Note what a camera goes on from."""
        _TWO.pack_into(self._map, self._camera_at(station, camera), trigger, shift | _HEARD)

    def _camera_at(self, station: str, camera: str) -> int:
        return self._at[station] + (1 + self._cameras[station][camera]) * _TWO.size

    def committed(self, station: str, number: int) -> None:
        _NUMBER.pack_into(self._map, self._at[station] + _NUMBER.size, number)

    def alive(self) -> None:
        """Note that this process lives; may be called from any thread."""
        _NUMBER.pack_into(self._map, _ALIVE_AT, time.time_ns())

    def close(self) -> None:
        self._map.close()
        self._partial.unlink(missing_ok=True)


_UNNAMED = Part()


def left_behind(path: Path) -> LeftBehind | None:
    """Read what the process before this one left; None if there is nothing that can be read."""
    try:
        data = path.read_bytes()
        magic, version, length, alive = _HEADER.unpack_from(data)
        if magic != _MAGIC or version != _VERSION:
            return None
        layout = json.loads(data[_HEADER.size : _HEADER.size + length])
        head = _pages(_HEADER.size + length)
        capacity = int(layout["capacity"])
        stride = _PAGE + _pages(capacity * _RECORD_SIZE)
        stations = {
            str(name): _left(data, head + index * stride, capacity, cameras)
            for index, (name, cameras) in enumerate(layout["stations"].items())
        }
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
        return None
    return LeftBehind(alive, stations)


def _left(data: bytes, at: int, capacity: int, cameras: list[Any]) -> Left:
    opened, committed = _TWO.unpack_from(data, at)
    triggers = {}
    for index, camera in enumerate(cameras):
        trigger, shift = _TWO.unpack_from(data, at + (1 + index) * _TWO.size)
        if trigger or shift & _HEARD:
            triggers[str(camera)] = (trigger, shift & ~_HEARD)
    open_parts = []
    if not committed <= opened <= committed + _MOST_OPEN:
        raise ValueError(f"{opened} opened, {committed} committed")
    for number in range(committed + 1, opened + 1):
        record = at + _PAGE + number % capacity * _RECORD_SIZE
        said, known_ns, told, length = _RECORD.unpack_from(data, record)
        mine = said == number and length <= _RECORD_SIZE - _RECORD.size
        start = record + _RECORD.size
        part = _part(data[start : start + length]) if mine else _UNNAMED
        open_parts.append(
            LeftOpen(number, part, known_ns if mine else 0, told or None if mine else None)
        )
    # A trigger is written down with its part, and a moment later as its camera's newest.
    newest = max((part.trigger or 0 for part in open_parts), default=0)
    if newest and newest > triggers.get(str(cameras[0]), (0, 0))[0]:
        triggers[str(cameras[0])] = (newest, triggers.get(str(cameras[0]), (0, 0))[1])
    return Left(committed, tuple(open_parts), triggers)


def _part(named: bytes) -> Part:
    try:
        return Part.model_validate_json(named) if named else _UNNAMED
    except ValidationError:
        return _UNNAMED  # the process died while it wrote this


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
