"""What a control socket may be sent: valid requests, and all kinds of damage to them."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from daemon.control.asked import PARTS
from daemon.requests import CLASSES, Command

Parts = list[bytes]

_VALID: tuple[dict[str, Any], ...] = (
    {"command": "GetState"},
    {"command": "GetStatistics"},
    {"command": "ReplayFrom", "seq": 7, "epoch": 3, "limit": 50},
    {"command": "Snapshot", "camera": "top"},
    {"command": "AnnouncePart", "part": {"id": "42", "lot": "l", "serial": "ä"}, "views": ["top"]},
    {"command": "SoftwareTrigger", "station": "press", "part": {"id": "x"}},
    {"command": "StartJob"},
    {"command": "StopJob"},
    {"command": "Bypass", "on": True, "note": "n"},
    {"command": "Override", "seq": 1, "verdict": "PASS", "operator": "o"},
    {"command": "ActivateRecipe", "station": "press", "recipe": 7, "version": 2},
    {"command": "Shadow", "recipe": "m8", "on": False},
    {"command": "GetShadow"},
    {"command": "CollectFrames", "parts": 3, "which": "all"},
    {"command": "TakeFrames", "collection": "c", "after": 4},
    {"command": "StopCollecting", "collection": "c"},
    {
        "command": "Challenge",
        "operator": "o",
        "recipe": "r",
        "recipe_version": 1,
        "results": [{"name": "dent", "verdict": "FAIL", "score": 1.5, "threshold": 1.0}],
    },
)
assert {request["command"] for request in _VALID} == {str(command) for command in CLASSES}
_VALUES: tuple[bytes, ...] = (
    b"null",
    b"-1",
    b"1e999",
    b"-0",
    b"NaN",
    b"1" * 5000,
    b"-" + b"9" * 400,
    b"0." + b"0" * 400 + b"1",
    b'"' + b"x" * 70_000 + b'"',
    b'"\\ud800"',
    b'"\\u0000"',
    b"[" * 2000 + b"]" * 2000,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b"[" * 60_000,
    b"{}",
    b"true",
)


def valid(random_: random.Random, request_id: str) -> bytes:
    """Make a request that is right."""
    return json.dumps({**random_.choice(_VALID), "id": request_id}).encode()


def _flip(random_: random.Random, body: bytearray) -> None:
    for _ in range(random_.randint(1, 4)):
        body[random_.randrange(len(body))] ^= 1 << random_.randrange(8)


def _delete(random_: random.Random, body: bytearray) -> None:
    start = random_.randrange(len(body))
    del body[start : start + random_.randint(1, 12)]


def _double(random_: random.Random, body: bytearray) -> None:
    start = random_.randrange(len(body))
    piece = body[start : start + random_.randint(1, 30)]
    body[start:start] = piece * random_.randint(1, 5)


def _value(random_: random.Random, body: bytearray) -> None:
    """Put another value, or another key, into the object."""
    key = random_.choice((b"seq", b"command", b"part", b"v", b"id", b"station", b"epoch", b"zz"))
    body[1:1] = b'"' + key + b'": ' + random_.choice(_VALUES) + b", "


def _encoding(random_: random.Random, body: bytearray) -> None:
    body[random_.randrange(len(body))] = random_.choice((0x00, 0x80, 0xC0, 0xED, 0xF8, 0xFF))


def _noise(random_: random.Random, body: bytearray) -> None:
    body[:] = random_.randbytes(random_.choice((0, 1, 7, 200, 3000)))


def _command(random_: random.Random, body: bytearray) -> None:
    document = json.loads(body)
    document["command"] = random_.choice((3, None, [], {}, "Reboot", 10**30, "x" * 500, True, 1.5))
    body[:] = json.dumps(document).encode()


def _bare(random_: random.Random, body: bytearray) -> None:
    body[:] = random_.choice(_VALUES)


_DAMAGE: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _delete,
    _double,
    _value,
    _encoding,
    _noise,
    _command,
    _bare,
)


def mutant(random_: random.Random) -> Parts:
    """Make the parts of a message that may be anything; now and then it is a valid request."""
    body = bytearray(valid(random_, f"m{random_.randrange(10)}"))
    for _ in range(random_.choice((1, 1, 1, 2))):
        if body and not (body[:1] != b"{" and random_.random() < 0.5):
            damage = random_.choice(_DAMAGE)
            if damage is not _command or _is_json(body):
                damage(random_, body)
    return _enveloped(random_, bytes(body))


def _is_json(body: bytearray) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _enveloped(random_: random.Random, body: bytes) -> Parts:
    kind = random_.random()
    if kind < 0.7:
        return [body]
    if kind < 0.8:
        return [b"", body]
    if kind < 0.85:
        return [random_.randbytes(random_.choice((1, 5, 255, 2000))), b"", body]
    if kind < 0.9:
        return [body] * random_.randint(2, 5)
    if kind < 0.95:
        return [b""] * random_.randint(1, 4)
    return [random_.randbytes(random_.choice((0, 1, 30)))] * random_.choice((PARTS, 40, 1000))


def stream(seed: int, count: int, valid_each: int = 5) -> Iterator[tuple[str | None, Parts]]:
    """Give messages, every few a valid one with an id of its own, and None for the others."""
    random_ = random.Random(seed)  # noqa: S311 (no secret)
    for number in range(count):
        if number % valid_each == 0:
            name = f"valid-{seed}-{number}"
            yield name, [b""] * random_.randint(0, 1) + [valid(random_, name)]
        else:
            yield None, mutant(random_)


COMMANDS = tuple(str(command) for command in Command)
