"""The command line of effad, with every key of the settings."""

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from daemon.settings.faults import unknown
from daemon.settings.keys import KEYS, SCALARS, Key
from models.errors import InputError


@dataclass(frozen=True)
class Said:
    file: Path
    check: bool
    values: dict[str, Any]  # nested tables of words


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"command line: {message}; see effad --help")


def parse(argv: Sequence[str] | None) -> Said:
    """Take a command line apart; raises ``InputError`` if it cannot be understood."""
    found, rest = _parser().parse_known_args(argv)
    if rest:
        raise InputError(f"command line: {_stray(rest[0])}")
    values: dict[str, Any] = {}
    for key in SCALARS:
        if key.dotted in found:
            table, name = key.path
            values.setdefault(table, {})[name] = getattr(found, key.dotted)
    return Said(found.config, found.check, values)


def _stray(word: str) -> str:
    if not word.startswith("--"):
        return f"{word!r} has no place here; settings are given as --KEY VALUE"
    name = word.split("=")[0]
    if name in {key.option for key in KEYS.values() if key.repeated}:
        return f"{name} is set in the settings file only; give it there"
    return unknown(name, name, ["--config", "--check", *(key.option for key in SCALARS)])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="effad",
        usage="effad --config FILE [--check] [--KEY VALUE ...]",
        description="Inspect a line: camera frames in, an accounted verdict for every trigger out.",
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", required=True, help="Settings file, TOML."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="Check all that a start would check, say what was found, and end.",
    )
    parser.add_argument("--version", action="version", version=f"effad {version('effad')}")
    for table in (key for key in KEYS.values() if key.table and not key.repeated):
        group = parser.add_argument_group(table.dotted, table.description)
        for key in SCALARS:
            if key.path[:-1] == table.path:
                group.add_argument(
                    key.option, metavar="VALUE", default=argparse.SUPPRESS, help=key.said
                )
    return parser


def _epilog() -> str:
    keys = [key for key in KEYS.values() if key.repeated]
    return "\n".join(
        [
            "in the settings file only:",
            *(line for key in keys for line in _lines(key)),
            "",
            f"Environment variables such as {SCALARS[0].variable} stand between the two:"
            " command line over environment over file.",
        ]
    )


def _lines(key: Key) -> list[str]:
    return [
        f"  {key.dotted}",
        *textwrap.wrap(
            key.said,
            80,
            initial_indent=" " * 24,
            subsequent_indent=" " * 24,
            break_long_words=False,
            break_on_hyphens=False,
        ),
    ]
