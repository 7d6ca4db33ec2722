"""Faults of settings, each in one line: where, key, value, what is allowed and what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from daemon.settings.keys import KEYS

Location = tuple[int | str, ...]
_ABSENT = object()


@dataclass(frozen=True)
class Layer:
    """Where values come from, and how a key is written there."""

    where: str
    values: dict[str, Any]
    written: Callable[[tuple[str, ...]], str] = ".".join

    @classmethod
    def command_line(cls, values: dict[str, Any]) -> Self:
        return cls("command line", values, lambda path: f"--{'.'.join(path)}")

    @classmethod
    def environment(cls, values: dict[str, Any]) -> Self:
        return cls("environment", values, lambda path: f"EFFAD_{'__'.join(path).upper()}")

    @classmethod
    def file(cls, file: Path, values: dict[str, Any]) -> Self:
        return cls(str(file), values)


def told(error: ValidationError, layers: Sequence[Layer], values: dict[str, Any]) -> str:
    """Say an error's first fault in one line; the last layer is the file."""
    faults = _told_once(error.errors(include_url=False))
    # A key with a slip of the pen is also missing where it should be: say the slip.
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    location, value = fault["loc"], fault["input"]
    path = tuple(part for part in location if isinstance(part, str))
    layer = next((one for one in layers if _at(one.values, location) == value), layers[-1])
    name = layer.written(_named(values, location))
    if fault["type"] == "extra_forbidden":
        siblings = [key[-1] for key in KEYS if key[:-1] == path[:-1]]
        return f"{layer.where}: {unknown(name, path[-1], siblings)}{more}"
    if fault["type"] == "missing":
        return f"{layer.where}: key {name} is missing; add it. {KEYS[path].said}{more}"
    if fault["type"] == "value_error":
        said = str(fault["ctx"]["error"])
        at = f"{name} = {_short(value)}: " if path and KEYS[path].table is None else ""
        return f"{layer.where}: {at}{said}{more}"
    return (
        f"{layer.where}: {name} = {_short(value)}: allowed is {KEYS[path].allowed};"
        f" correct or remove it{more}"
    )


def _told_once(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out lists that pydantic calls too short because it left out a faulty item."""
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short"
        or not any(_within(other["loc"], fault["loc"]) for other in faults)
    ]


def _within(inner: Location, outer: Location) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def unknown(name: str, word: str, known: Sequence[str]) -> str:
    """Say that a key is unknown, and which one may be meant."""
    close = get_close_matches(word, known, n=1)
    hint = f"is {close[0]} meant?" if close else f"known are {', '.join(known)}:"
    return f"unknown key {name}; {hint} correct or remove it"


def _at(values: Any, location: Location) -> object:
    for part in location:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return values


def _named(values: Any, location: Location) -> tuple[str, ...]:
    """Write a place in a list as the name that stands there, else as #1, #2, ..."""
    named = []
    for part in location:
        values = _at(values, (part,))
        name = _at(values, ("name",))
        numbered = f"#{part + 1}" if isinstance(part, int) else part
        named.append(name if isinstance(part, int) and isinstance(name, str) else numbered)
    return tuple(named)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
