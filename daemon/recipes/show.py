"""``effad-recipe show`` and ``diff``: what a version says, and what differs between two."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from daemon.recipes.health import Health, examine
from daemon.recipes.say import say
from models import recipe_store as store
from models.recipe import Recipe
from models.recipe_record import THRESHOLD_FIELDS

_SHORT = 12  # hex digits of a SHA-256 that people compare
#: Not what a version says, but which one it is.
_IDENTITY = {"format", "version", "created", "files", "calibration"}
_NEWEST = 10  # activations that are shown


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser("show", help="a version, the others, and the history")
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="its folder")
    verb.add_argument("--version", type=int, metavar="N", help="[the active one, else the newest]")
    verb.add_argument("--json", action="store_true", help="the version's own record")
    verb.set_defaults(command=run_show)
    verb = verbs.add_parser(
        "diff",
        help="what differs between two versions",
        description="Say what differs between two versions of a recipe, and whether they judge by"
        " the same threshold. Status 1 if something differs.",
    )
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="its folder")
    verb.add_argument("a", type=int, metavar="A", help="version")
    verb.add_argument("b", type=int, metavar="B", help="version")
    verb.set_defaults(command=run_diff)


def run_show(args: argparse.Namespace) -> int:
    folder: Path = args.recipe
    version = args.version or store.active(folder) or max(store.versions(folder), default=None)
    recipe = store.read(folder, version)
    if args.json:
        sys.stdout.write(recipe.model_dump_json(indent=1) + "\n")
        return 0
    active = store.active(folder)
    health = examine(folder, recipe.version)
    state = "active" if recipe.version == active else "not active"
    say(f"recipe {recipe.name}, version {recipe.version} of {recipe.created}: {state}")
    fields = recipe.model_dump(mode="json", exclude={"format", "version", "created", "name"})
    say(*(f"  {key:<24}{_brief(value)}" for key, value in fields.items()))
    say(*_calibration(health))
    say("versions: " + "  ".join(_mark(n, active) for n in store.versions(folder)))
    for line in store.history(folder)[-_NEWEST:]:
        say(f"  {line.time}  version {line.version}  by {line.who}  {line.why}".rstrip())
    return 0


def run_diff(args: argparse.Namespace) -> int:
    folder: Path = args.recipe
    a, b = store.read(folder, args.a), store.read(folder, args.b)
    found = differences(a, b)
    say(*(f"{key}: {_brief(old)} -> {_brief(new)}" for key, (old, new) in found.items()))
    if not found:
        say("the same settings")
    lines, same = _thresholds(folder, a, b, [key for key in found if _decides(key)])
    say(*lines)
    return int(bool(found) or not same)


def differences(a: Recipe, b: Recipe) -> dict[str, tuple[Any, Any]]:
    """Give the fields that differ, with their values; tables by their keys, with dots."""
    old, new = (_flat(r.model_dump(mode="json", exclude=_IDENTITY)) for r in (a, b))
    return {
        key: (old.get(key), new.get(key))
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key) != new.get(key)
    }


def _decides(key: str) -> bool:
    return key.split(".")[0] in THRESHOLD_FIELDS


def _flat(value: dict[str, Any], under: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            found |= _flat(inner, f"{under}{key}.")
        else:
            found[under + key] = inner
    return found


def _thresholds(folder: Path, a: Recipe, b: Recipe, decide: list[str]) -> tuple[list[str], bool]:
    """Say whether two versions judge by the same threshold."""
    if a.files.get(a.calibration) == b.files.get(b.calibration) and not decide:
        return [f"the threshold stays: {examine(folder, b.version).threshold}"], True
    lines = [f"{', '.join(decide)}: another threshold is needed"] if decide else []
    for recipe in (a, b):
        health = examine(folder, recipe.version)
        lines.append(f"threshold of version {recipe.version}: {health.threshold}")
        if health.fault:
            lines.append(f"  {health.fault}")
    return lines, False


def _calibration(health: Health) -> list[str]:
    if health.loaded is None:
        return [f"not to be activated: {health.fault}"]
    made = health.loaded.calibration
    return [
        f"threshold {health.threshold}, false reject rate {made.false_reject_rate:.2%},"
        f" mode {health.loaded.mode}, calibration {health.loaded.calibration_sha256[:_SHORT]}",
        f"engine {made.engine}",
    ]


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}... ({len(text)} characters)"


def _mark(version: int, active: int | None) -> str:
    return f"[{version}]" if version == active else str(version)
