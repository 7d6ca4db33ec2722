"""Messages to parts of a ZeroMQ message and back: pure functions, no sockets.

A message is ``[topic, header]``, a map ``[topic, header, array]``. The topic says of which class
the header is; the header is that class as JSON; the array follows as it lies in memory. Nothing is
ever unpickled, and nothing that a peer sends is believed before its size was compared.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticSerializationError, from_json

from daemon.messages import (
    PROTOCOL,
    Alarm,
    Heartbeat,
    Map,
    MapEncoding,
    StateChange,
    Verdict,
)
from daemon.replies import Reply
from daemon.requests import CLASSES as REQUESTS

if TYPE_CHECKING:  # a subscriber has no need of torch, which takes seconds to import
    from models.geometry import Placement

Published: TypeAlias = Verdict | Map | Heartbeat | StateChange | Alarm
#: A map as it travels: little-endian float16 (h, w), or the bytes of a PNG file, uint8 (n,).
Payload: TypeAlias = NDArray[np.float16] | NDArray[np.uint8]
Wire: TypeAlias = bytes | memoryview

TOPIC_LIMIT = 512  # bytes
HEADER_LIMIT = 4 << 20  # bytes: some 20 000 regions
ARRAY_LIMIT = 64 << 20  # bytes: the float16 map of a frame of 23 000 x 23 000 pixels
NAME = re.compile(r"[A-Za-z0-9_.-]+")

_CLASSES: dict[str, type[Published]] = {
    "verdict": Verdict,
    "partial": Verdict,
    "map": Map,
    "state": StateChange,
    "heartbeat": Heartbeat,
    "alarm": Alarm,
}
_FLOAT16 = np.dtype("<f2")
_LARGEST = float(np.finfo(np.float16).max)
_DTYPES = {MapEncoding.RAW: "float16", MapEncoding.PNG: "uint8"}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


class WireError(ValueError):
    """A message is not one of ours; in one line, why."""


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A decoded message. The array is a view of the part that it came in; do not write to it."""

    topic: str
    message: Published
    array: Payload | None = None  # of a Map; see ``decode_map``


def topic_of(message: Published) -> str:
    """Give the topic that a message is sent on; it ends with a slash."""
    match message:
        case Verdict():
            kind = "partial" if message.isPartial else "verdict"
            return f"{kind}/{_name(message.station)}/"
        case Map():
            return f"map/{_name(message.station)}/{_name(message.camera)}/"
        case StateChange():
            return "state/"
        case Heartbeat():
            return "heartbeat/"
        case Alarm():
            return "alarm/"


def header_of(message: Published) -> bytes:
    """Give a message as JSON; raises ``WireError`` if its text is none."""
    try:
        return message.model_dump_json().encode()
    except PydanticSerializationError as error:
        raise WireError(f"header is not text: {_line(error)}") from None


def encode(
    message: Published, array: Payload | None = None, header: bytes | None = None
) -> list[Wire]:
    """Give the parts of a message; the array's is a view of its memory, not a copy.

    ``header``: what ``header_of`` gave before. Raises ``WireError`` where ``decode`` would.
    """
    header = header_of(message) if header is None else header
    parts: list[Wire] = [topic_of(message).encode(), header]
    if array is not None:
        if array.dtype != (_FLOAT16 if array.ndim == 2 else np.uint8):
            raise WireError(f"array is {array.dtype} of {array.ndim} axes: see encode_map")
        if not array.flags.c_contiguous or array.size == 0:
            raise WireError("array is empty or not contiguous")
        parts.append(array.data.cast("B"))
    _check_sizes(parts)
    _view(message, parts[2:])
    return parts


def decode(parts: Sequence[Wire]) -> Received:
    """Give the message that parts hold, or raise ``WireError``.

    ``decode(encode(message, array))`` gives an equal message and an array of the same bytes.
    """
    if not 2 <= len(parts) <= 3:
        raise WireError(f"{len(parts)} parts: must be topic, header and for a map its array")
    _check_sizes(parts)
    try:
        topic = bytes(parts[0]).decode("ascii")
    except UnicodeDecodeError:
        raise WireError(f"topic {bytes(parts[0])[:40]!r} is not ASCII") from None
    kind = topic.partition("/")[0]
    if kind not in _CLASSES:
        raise WireError(f"topic {topic[:40]!r} is not known: must start with {_known()}")
    message = _parse(_CLASSES[kind], bytes(parts[1]))
    if topic_of(message) != topic:
        raise WireError(f"topic {topic[:80]!r} does not match its header: {topic_of(message)!r}")
    return Received(topic, message, _view(message, parts[2:]))


def encode_map(
    values: NDArray[np.float32],
    verdict: Verdict,
    camera: str,
    placement: "Placement",
    frame: tuple[int, int],
    encoding: MapEncoding = MapEncoding.RAW,
) -> tuple[Map, Payload]:
    """Give the header and the payload of a verdict's map, (h, w) float32; frame: (width, height).

    Lossy. RAW: clipped to +-65504; within 2**-11 of the value (below 2**-14: within 2**-25).
    PNG: negative values become 0, others are within ``scale / 510`` and float32's rounding, where
    ``scale`` is the largest of the values and the threshold. Raises ``WireError`` on NaN.
    """
    if verdict.threshold is None or values.ndim != 2 or values.size == 0:
        raise WireError(f"no map of seq {verdict.seq}: no threshold, or shape {values.shape}")
    if np.isnan(values).any():
        raise WireError(f"map of seq {verdict.seq} holds NaN")
    values = np.clip(values, -_LARGEST, _LARGEST)
    top = float(values.max())
    scores = [view.score for view in verdict.views if view.camera == camera]
    payload: Payload
    if encoding is MapEncoding.RAW:
        scale = 1.0
        payload = np.ascontiguousarray(values, dtype=_FLOAT16)
    else:
        scale = max(top, verdict.threshold)
        scale = scale if scale > 0 else 1.0
        codes = np.rint(np.clip(values / np.float64(scale), 0, 1) * 255).astype(np.uint8)
        payload = np.asarray(cv2.imencode(".png", codes)[1], dtype=np.uint8).ravel()
    header = Map(
        epoch=verdict.epoch,
        seq=verdict.seq,
        station=verdict.station,
        camera=camera,
        score=next((score for score in scores if score is not None), top),
        threshold=verdict.threshold,
        encoding=encoding,
        dtype="float16" if encoding is MapEncoding.RAW else "uint8",
        shape=(values.shape[0], values.shape[1]),
        scale=scale,
        first=(placement.first[1], placement.first[0]),
        step=(placement.step[1], placement.step[0]),
        frame=frame,
    )
    return header, payload


def decode_map(header: Map, array: Payload | None) -> NDArray[np.float32]:
    """Give a map's values, (h, w) float32; the tolerance is ``encode_map``'s."""
    if array is None:
        raise WireError(f"map of seq {header.seq} came without its array")
    if header.encoding is MapEncoding.RAW:
        return array.astype(np.float32)
    try:
        codes = cv2.imdecode(np.asarray(array, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        codes = None
    if codes is None or codes.shape != header.shape or codes.dtype != np.uint8:
        raise WireError(f"map of seq {header.seq} is a damaged PNG")
    return (codes * (header.scale / 255)).astype(np.float32)


def schema() -> dict[str, Any]:
    """Give the JSON Schema of all messages: ``$defs`` by class, ``x-topics`` by topic."""
    sent: tuple[type[BaseModel], ...] = (*dict.fromkeys(_CLASSES.values()), Reply)
    references, document = models_json_schema(
        [
            *((cls, "serialization") for cls in sent),
            *((cls, "validation") for cls in REQUESTS.values()),
        ],
        title="effad",
        description="Headers on effad's result and map sockets, requests and replies on control.",
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-protocol": PROTOCOL,
        "x-topics": {
            f"{kind}/": references[cls, "serialization"]["$ref"] for kind, cls in _CLASSES.items()
        },
        "x-commands": {
            str(command): references[cls, "validation"]["$ref"] for command, cls in REQUESTS.items()
        },
        **document,
    }


def first_problem(error: ValidationError) -> str:
    """Give the first of what pydantic found wrong, in a line that ends."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(step) for step in problem["loc"])
    return _line(f"{where}: {problem['msg']}" if where else problem["msg"])


def protocol_of(header: bytes) -> object:
    """Give what a header that is not of our protocol says that it is of; None if nothing."""
    try:
        document = from_json(header)
    except ValueError:
        return None
    return document.get("v") if isinstance(document, dict) else None


def _parse(cls: type[Published], header: bytes) -> Published:
    try:
        return cls.model_validate_json(header)
    except ValidationError as error:
        version = protocol_of(header)
        if isinstance(version, int) and version > PROTOCOL:
            raise WireError(f"protocol {version} is newer than {PROTOCOL}: update effad") from None
        raise WireError(f"{cls.__name__} header: {first_problem(error)}") from None


def _check_sizes(parts: Sequence[Wire]) -> None:
    limits = (TOPIC_LIMIT, HEADER_LIMIT, ARRAY_LIMIT)
    for name, part, limit in zip(("topic", "header", "array"), parts, limits, strict=False):
        if len(part) > limit:
            raise WireError(f"{name} of {len(part)} bytes: at most {limit}")


def _view(message: Published, arrays: Sequence[Wire]) -> Payload | None:
    """Give the array part as its header describes it."""
    if not isinstance(message, Map):
        if arrays:
            raise WireError(f"{type(message).__name__} has an array: only maps have one")
        return None
    if not arrays:
        raise WireError("Map without its array")
    if message.dtype != _DTYPES[message.encoding]:
        raise WireError(f"a map's dtype is {message.dtype} in encoding {message.encoding}")
    rows, columns = message.shape
    if message.encoding is MapEncoding.RAW:
        if min(rows, columns) < 1 or len(arrays[0]) != rows * columns * _FLOAT16.itemsize:
            raise WireError(f"array of {len(arrays[0])} bytes is not {rows} x {columns} float16")
        return np.frombuffer(arrays[0], dtype=_FLOAT16).reshape(rows, columns)
    # The size is read before the file is unpacked: a few bytes of PNG may claim gigabytes.
    start = bytes(arrays[0][:26])
    size = (int.from_bytes(start[20:24], "big"), int.from_bytes(start[16:20], "big"))
    if start[:8] != b"\x89PNG\r\n\x1a\n" or start[24:] != b"\x08\x00":
        raise WireError("array is not an 8-bit grey PNG")
    if bytes(arrays[0][-len(_PNG_END) :]) != _PNG_END:
        raise WireError("PNG is cut off")
    if size != (rows, columns):
        raise WireError(f"PNG is not of {rows} x {columns} pixels")
    return np.frombuffer(arrays[0], dtype=np.uint8)


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise WireError(f"name {name[:40]!r} may hold letters, digits and _ . - only")
    return name


def _known() -> str:
    return ", ".join(f"{kind}/" for kind in _CLASSES)


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300]
