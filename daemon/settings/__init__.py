"""Settings of the daemon: command line over environment over file, read once and frozen."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from daemon.settings.command import parse
from daemon.settings.faults import Layer, told, unknown
from daemon.settings.keys import SCALARS
from daemon.settings.model import (
    EngineSettings,
    HealthSettings,
    LedgerSettings,
    LogSettings,
    Settings,
    SocketSettings,
)
from daemon.settings.station import SIMULATOR, CameraSettings, StationSettings
from models.errors import InputError

__all__ = [
    "SIMULATOR",
    "CameraSettings",
    "EngineSettings",
    "HealthSettings",
    "Invocation",
    "LedgerSettings",
    "LogSettings",
    "Settings",
    "SocketSettings",
    "StationSettings",
    "load",
    "read",
]

#: Variables with our prefix that are no settings.
NO_SETTINGS = {"EFFAD_SCENE", "EFFAD_DATA"}


@dataclass(frozen=True)
class Invocation:
    """What the command line asks for."""

    settings: Settings
    file: Path
    check: bool  # check all that a start would check, say so, and end


def load(argv: Sequence[str] | None = None) -> Invocation:
    """Read command line, environment and file; raises ``InputError`` at the first fault."""
    said = parse(argv)
    return Invocation(read(said.file, said.values), said.file, said.check)


def read(file: Path, command_line: dict[str, Any] | None = None) -> Settings:
    """Read settings, with a command line's values as nested tables."""
    layers = [
        Layer.command_line(command_line or {}),
        Layer.environment(_environment()),
        Layer.file(file, _tables(file)),
    ]
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        values = _over(layer.values, values)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise InputError(told(error, layers, values)) from error
    return _beside(file.absolute().parent, settings)


def _tables(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; name the settings file with --config FILE"
        ) from error
    except ValueError as error:
        raise InputError(f"{file}: no TOML: {error}; correct it there") from error


def _environment() -> dict[str, Any]:
    variables = [key.variable for key in SCALARS]
    for name, value in os.environ.items():
        if name.upper().startswith("EFFAD_") and name not in NO_SETTINGS.union(variables):
            raise InputError(f"environment: {unknown(f'{name}={value}', name, variables)}")
    return EnvSettingsSource(Settings)()


def _over(upper: dict[str, Any], lower: dict[str, Any]) -> dict[str, Any]:
    """Lay values over others. Where only the upper is a table the lower stays: it is a fault."""
    merged = {**lower, **upper}
    for key in upper.keys() & lower.keys():
        if isinstance(upper[key], dict):
            below = lower[key]
            merged[key] = _over(upper[key], below) if isinstance(below, dict) else below
    return merged


def _beside(folder: Path, settings: Settings) -> Settings:
    stations = tuple(
        station.model_copy(update={"recipe": str(folder / station.recipe)})
        if station.recipe
        else station
        for station in settings.stations
    )
    sockets, journal = settings.sockets, settings.journal
    if sockets.keys:
        sockets = sockets.model_copy(update={"keys": str(folder / sockets.keys)})
    if journal.folder:
        journal = journal.model_copy(update={"folder": str(folder / journal.folder)})
    recipes = settings.recipes
    if recipes.folder:
        recipes = recipes.model_copy(update={"folder": str(folder / recipes.folder)})
    return settings.model_copy(
        update={
            "stations": stations,
            "sockets": sockets,
            "journal": journal,
            "recipes": recipes,
        }
    )
