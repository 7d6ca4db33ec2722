"""What the daemon and a camera's process say to each other, over a SOCK_SEQPACKET pair.

A trigger is named by its number: the device's own counter where it has one, else its FrameIDs
counted on over restarts.
"""

import array
import socket
import struct
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from daemon.messages import Reason
from models.camera_parameters import FeatureValue

LARGEST = 1 << 16  # bytes of a message


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Opened(_Said):
    """The camera is open; nothing is streaming yet. The daemon answers with ``UseSlots``."""

    kind: Literal["opened"] = "opened"
    vendor: str
    model: str
    serial: str
    width: int  # pixels
    height: int
    pixel_format: str  # as the camera names it
    counter: int | None  # triggers the device has counted so far; None: it has no counter


class Started(_Said):
    """Frames can come; ``base`` triggers were counted before the first of this acquisition."""

    kind: Literal["started"] = "started"
    base: int
    shift: int  # by which trigger numbers exceed the device's own counter


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame lies in a slot, which is the daemon's from now on.

    The one message that comes with every frame: packed, as JSON would cost more than all else that
    the two sides do with it.
    """

    slot: int
    trigger: int
    frame_id: int
    device_ns: int | None  # the camera's clock
    exposed_ns: int  # CLOCK_MONOTONIC: when it was taken
    received_ns: int  # CLOCK_MONOTONIC, when the buffer was fetched

    def packed(self) -> bytes:
        device_ns = _UNKNOWN if self.device_ns is None else self.device_ns
        return _FRAME.pack(
            _IS_FRAME,
            self.slot,
            self.trigger,
            self.frame_id,
            device_ns,
            self.exposed_ns,
            self.received_ns,
        )

    @classmethod
    def unpacked(cls, data: bytes) -> "Frame":
        _, slot, trigger, frame_id, device_ns, exposed_ns, received_ns = _FRAME.unpack(data)
        known = None if device_ns == _UNKNOWN else device_ns
        return cls(slot, trigger, frame_id, known, exposed_ns, received_ns)


_FRAME = struct.Struct("<cIQQqqq")
_IS_FRAME = b"F"  # JSON begins with a brace
_UNKNOWN = -(1 << 63)


class Missed(_Said):
    """The triggers ``first`` to ``last`` ended without a frame that can be inspected."""

    kind: Literal["missed"] = "missed"
    first: int
    last: int
    reason: Reason
    detail: str
    frame_id: int | None = None  # of the first, the others follow; None: there was none


class Counted(_Said):
    """The device has counted so many triggers; their frames may still be under way."""

    kind: Literal["counted"] = "counted"
    triggers: int


class Triggered(_Said):
    """A software trigger was carried out as ``trigger``, or (None) refused by the camera."""

    kind: Literal["triggered"] = "triggered"
    number: int  # the station's part
    trigger: int | None
    error: str = ""


class Away(_Said):
    """The camera does not answer; it is being looked for."""

    kind: Literal["away"] = "away"
    since_ns: int  # Unix epoch
    text: str


class Unaccounted(_Said):
    """The triggers of this interval get no verdicts: nothing counted them, or far too many."""

    kind: Literal["unaccounted"] = "unaccounted"
    since_ns: int | None  # Unix epoch, as below; None: since before this process
    until_ns: int
    triggers: int | None  # None: nothing could count them


class OutputMissed(_Said):
    """A good part gets no pulse at the gate, and is rejected there."""

    kind: Literal["output_missed"] = "output_missed"
    number: int  # the station's part
    trigger: int
    text: str


class Configured(_Said):
    """The answer to ``Configure``: all of it is set, or (with an error) none."""

    kind: Literal["configured"] = "configured"
    number: int
    before: dict[str, FeatureValue] = {}  # what the features were
    error: str | None = None


class Refused(_Said):
    """The camera cannot be used as it is: one line of what to do. The process ends."""

    kind: Literal["refused"] = "refused"
    error: str


class Stopped(_Said):
    """The acquisition has ended; ``counter`` triggers were counted in all, if anything counts."""

    kind: Literal["stopped"] = "stopped"
    counter: int | None


class UseSlots(_Said):
    """Sent with the slots' descriptor: begin."""

    kind: Literal["use_slots"] = "use_slots"
    count: int
    size: int  # bytes


class Trigger(_Said):
    """Carry out a software trigger for the station's part ``number``."""

    kind: Literal["trigger"] = "trigger"
    number: int


class Output(_Said):
    """The part is good: give it a pulse when it is at the gate."""

    kind: Literal["output"] = "output"
    number: int  # the station's part
    trigger: int


class Configure(_Said):
    """Set these features, in this order; again after each loss of the camera."""

    kind: Literal["configure"] = "configure"
    number: int  # comes back in the answer
    features: dict[str, FeatureValue]


class Stop(_Said):
    kind: Literal["stop"] = "stop"


_Told = (
    Opened
    | Started
    | Missed
    | Counted
    | Triggered
    | Away
    | Unaccounted
    | OutputMissed
    | Configured
    | Refused
    | Stopped
)
FromCamera = Frame | _Told
ToCamera = UseSlots | Trigger | Output | Configure | Stop

_FROM: TypeAdapter[_Told] = TypeAdapter(Annotated[_Told, Field(discriminator="kind")])
_TO: TypeAdapter[ToCamera] = TypeAdapter(Annotated[ToCamera, Field(discriminator="kind")])


def send(end: socket.socket, message: FromCamera | ToCamera, descriptor: int | None = None) -> None:
    """Send one message, with a descriptor where one goes along; raises OSError on a dead peer."""
    if isinstance(message, Frame):
        end.send(message.packed())
        return
    data = message.model_dump_json().encode()
    if descriptor is None:
        end.send(data)
    else:
        rights = array.array("i", [descriptor])
        end.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def receive_from_camera(end: socket.socket) -> FromCamera | None:
    """Wait for what the camera's process says next; None when it has ended."""
    try:
        data = end.recv(LARGEST)
    except ConnectionResetError:  # it ended and had not read all: what it said itself comes next
        data = end.recv(LARGEST)
    if data[:1] == _IS_FRAME:
        return Frame.unpacked(data)
    return _FROM.validate_json(data) if data else None


def receive_to_camera(
    end: socket.socket, *, wait: bool = True
) -> tuple[ToCamera, int | None] | None:
    """Give what the daemon says next, and a descriptor sent along; None when it has ended.

    Raises ``BlockingIOError`` if nothing is there and ``wait`` is false.
    """
    flags = 0 if wait else socket.MSG_DONTWAIT
    data, ancillary, _flags, _from = end.recvmsg(LARGEST, socket.CMSG_LEN(4), flags)
    if not data:
        return None
    descriptor = None
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptor = array.array("i", content)[0]
    return _TO.validate_json(data), descriptor
