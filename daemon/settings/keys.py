"""Each key that can be set, in words: for help, for the example file and for faults."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.settings.model import Settings


@dataclass(frozen=True)
class Key:
    """A key of the settings; ``path`` leaves out where in a list it stands."""

    path: tuple[str, ...]
    description: str  # with the unit
    allowed: str
    required: bool
    default: str  # in words; empty if required
    example: str  # a value as TOML writes it: the default, where it is the same everywhere
    table: type[BaseModel] | None  # what the key holds, if it is a table or a list of tables
    repeated: bool  # stands in a list of tables: only the file can set it

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def option(self) -> str:
        return f"--{self.dotted}"

    @property
    def said(self) -> str:
        default = f" Default: {self.default}." if self.default else ""
        return f"{self.description} Allowed: {self.allowed}.{default}"

    @property
    def variable(self) -> str:
        return "EFFAD_" + "__".join(self.path).upper()


def _walk(model: type[BaseModel], path: tuple[str, ...], repeated: bool) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        table, listed = _table(field.annotation)
        key = _key((*path, name), field, table, repeated or listed)
        yield key
        if table is not None:
            yield from _walk(table, key.path, key.repeated)


def _table(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0], True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None, False


def _key(
    path: tuple[str, ...], field: FieldInfo, table: type[BaseModel] | None, repeated: bool
) -> Key:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    return Key(
        path=path,
        description=field.description or " ".join(((table and table.__doc__) or "").split()),
        allowed=str(extra.get("allowed") or _range(field)),
        required=required,
        default="" if required else str(extra.get("default", literal(default))),
        example=literal(extra.get("example", default)),
        table=table,
        repeated=repeated,
    )


def _range(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) is Literal:
        return _either([literal(word) for word in get_args(annotation)])
    if issubclass(annotation, Enum):
        return _either([literal(member) for member in annotation])
    if annotation is bool:
        return "true or false"
    if issubclass(annotation, BaseModel):
        return "a table"
    least = next(m.ge for m in field.metadata if isinstance(m, Ge))
    most = next(m.le for m in field.metadata if isinstance(m, Le))
    return f"{'a whole number' if annotation is int else 'a number'} from {least} to {most}"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def literal(value: object) -> str:
    """Write a default as TOML does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


KEYS: dict[tuple[str, ...], Key] = {key.path: key for key in _walk(Settings, (), repeated=False)}
#: What environment and command line can set.
SCALARS = [key for key in KEYS.values() if key.table is None and not key.repeated]
