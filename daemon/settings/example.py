"""The example settings file: every key with its meaning, range, unit and default."""

import sys
import textwrap

from daemon.settings.keys import KEYS, SCALARS, Key, literal

HEAD = f"""\
# Settings of effad. A key that begins with # has its default.
#
# Each key outside the stations can also be an environment variable, such as
# {SCALARS[0].variable}, and on the command line, such as {SCALARS[0].option};
# command line over environment over this file. Unknown keys are refused.
# This file is made by: python -m daemon.settings.example"""
REQUIRED = {
    ("stations", "name"): "nut",
    ("stations", "recipe"): "recipes/nut",
    ("stations", "cameras", "producer"): "/opt/vendor/lib/vendor.cti",
}


def example() -> str:
    """Write the example file."""
    return "\n".join([HEAD, *(_entry(key) for key in KEYS.values())])


def _entry(key: Key) -> str:
    if key.table is not None:
        header = f"[[{key.dotted}]]" if key.repeated else f"[{key.dotted}]"
        return f"\n{_comment(key.description)}\n{header}"
    if key.required:
        return f"{_comment(key.said)}\n{key.path[-1]} = {literal(REQUIRED[key.path])}"
    return f"{_comment(key.said)}\n#{key.path[-1]} = {key.example}"


def _comment(text: str) -> str:
    return textwrap.fill(
        text,
        96,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.stdout.write(example() + "\n")
