"""JSON records on disk: strict, frozen, hashed, and written whole or not at all."""

import hashlib
import json
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import InputError


class Record(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record; raises ``InputError`` naming the file, the key and what is wrong."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str | bytes, where: object) -> Self:
        """Read a record from JSON; raises ``InputError`` that says where it stood."""
        try:
            newer_than(where, json.loads(text), cls)
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"{where}: {first_fault(error)}") from error
        except ValueError as error:
            raise InputError(f"{where}: no JSON ({error})") from error

    def write(self, path: Path) -> None:
        """Write as JSON: a reader finds the old file or the new one, also after a power cut."""
        write_whole(path, self.model_dump_json(indent=1).encode() + b"\n")


def newer_than(where: object, raw: object, record: type[BaseModel]) -> None:
    """Raise ``InputError`` if a file's format is newer than this version of effad knows."""
    field = record.model_fields.get("format")
    found = raw.get("format") if isinstance(raw, dict) else None
    if field is not None and isinstance(found, int) and found > field.default:
        raise InputError(
            f"{where}: format {found} is newer than this effad, which knows {field.default};"
            " upgrade effad, or make the file again with this version"
        )


def first_fault(error: ValidationError) -> str:
    """Say in one line which key is wrong, its value, and what is allowed."""
    faults = error.errors(include_url=False)
    first = faults[0]
    key = ".".join(str(part) for part in first["loc"]) or "(top)"
    if first["type"] == "extra_forbidden":
        said = f"unknown key {key!r}; remove or correct it"
    elif first["type"] == "missing":
        said = f"key {key!r} is missing"
    elif first["type"] == "value_error" and not first["loc"]:
        said = first["msg"].removeprefix("Value error, ")  # of fields together: it names them
    else:
        said = f"{key} = {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"
    more = len(faults) - 1
    return said + (f" (and {more} more)" if more else "")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through a temporary one and a rename, both on disk before this returns."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Put a file's content, or a folder's entries, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
