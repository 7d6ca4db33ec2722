"""``effad-recipe activate`` and ``rollback``: which version judges."""

import argparse
from pathlib import Path

from daemon.client import Requester
from daemon.recipes.say import say, who
from daemon.replies import Reply
from daemon.requests import ActivateRecipe
from daemon.security.keys import ClientKeys
from models import recipe as recipes
from models import recipe_store as store
from models.errors import InputError

#: Seconds that a daemon has to load and warm a recipe beside its work.
PATIENCE = 300.0


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "activate",
        help="make a version the active one, on disk or in a running daemon",
        description="Make a version the active one. Without --daemon it is the recipe's folder that"
        " changes: what starts from now on takes it. With --daemon a running daemon loads it beside"
        " the recipe in use, and judges by it from a part on; it keeps that over restarts. The"
        " version is loaded whole first: one whose threshold is not valid is refused.",
    )
    verb.add_argument(
        "recipe",
        metavar="RECIPE",
        help="its folder; with --daemon also a name or number in the daemon's library",
    )
    verb.add_argument(
        "--version", type=int, metavar="N", help="[the only one; with --daemon the active one]"
    )
    verb.add_argument("--why", default="", help="noted in the recipe's history")
    daemon_options(verb)
    verb.set_defaults(command=run_activate)
    verb = verbs.add_parser(
        "rollback",
        help="back to the version that was active before",
        description="Go back to the version that was active before, by the recipe's history. Given"
        " twice it goes back twice.",
    )
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="its folder")
    verb.set_defaults(command=run_rollback)


def daemon_options(verb: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add what names a running daemon and its station."""
    options = verb.add_argument_group("a running daemon")
    options.add_argument(
        "--daemon",
        required=required,
        metavar="ENDPOINT",
        help="tcp://HOST:5555, its control socket",
    )
    options.add_argument("--station", metavar="NAME", help="may be left out where there is one")
    options.add_argument("--server-key", type=Path, metavar="FILE", help="effad's public key")
    options.add_argument("--key", type=Path, metavar="FILE", help="one's own, .key_secret")


def requester_of(args: argparse.Namespace, timeout: float) -> Requester:
    """Give the control socket that ``daemon_options`` name; raises ``InputError``."""
    keys = ClientKeys.given(args.server_key, args.key)
    return Requester(args.daemon, timeout, keys=keys)


def run_activate(args: argparse.Namespace) -> int:
    if args.daemon is not None:
        return _ask(args)
    if args.station or args.server_key or args.key:
        raise InputError("--station, --server-key and --key go with --daemon ENDPOINT")
    folder = Path(args.recipe)
    with store.locked_existing(folder):
        version = args.version or _only(folder)
        loaded = recipes.load(folder, version)
        before = store.active(folder)
        store.activate(folder, version, who=who(), why=args.why)
    if before == version:
        say(f"{folder}: version {version} is the active one already")
        return 0
    made = loaded.calibration
    say(
        f"{folder}: version {version} is active (before: {before or 'none'}),"
        f" threshold {made.threshold:.4f} from {made.parts} parts",
        f"a daemon that runs takes it by: effad-recipe activate {folder} --daemon ENDPOINT",
    )
    return 0


def _only(folder: Path) -> int:
    """Give the one version that there is: the newest may be a calibration that was not accepted."""
    there = store.versions(folder)
    if len(there) > 1:
        raise InputError(
            f"{folder}: has versions {', '.join(map(str, there))}, of which"
            f" {store.active(folder) or 'none'} is active; say which: --version N"
        )
    return there[0]


def run_rollback(args: argparse.Namespace) -> int:
    folder: Path = args.recipe
    with store.locked_existing(folder):
        before = store.active(folder)
        recipes.load(folder, store.before(folder))
        version = store.rollback(folder, who=who())
    say(
        f"{folder}: back from version {before} to version {version}",
        f"a daemon that runs takes it by: effad-recipe activate {folder} --daemon ENDPOINT",
    )
    return 0


def _ask(args: argparse.Namespace) -> int:
    """Ask a daemon, which says why if it does not."""
    recipe, version = named(args.recipe, args.version)
    request = ActivateRecipe(station=args.station, recipe=recipe, version=version)
    with requester_of(args, PATIENCE) as requester:
        reply = requester.ask(request)
    if not reply.ok:
        raise InputError(f"{args.daemon}: {reply.error}")
    say(*told(reply))
    return 0


def named(recipe: str, version: int | None) -> tuple[str | int, int | None]:
    """Name a recipe as the daemon's library does: by what a folder here calls it, or as given."""
    folder = Path(recipe)
    if store.versions(folder):
        found = store.read(folder, version)
        return found.name, found.version
    if "/" in recipe:
        raise InputError(f"{folder}: no recipe here; name a folder, or a name in its library")
    return int(recipe) if recipe.isdecimal() else recipe, version


def told(reply: Reply) -> list[str]:
    """Say what a daemon activated."""
    done = reply.activated
    if done is None:
        return ["activated"]
    first = "the next job on" if done.first is None else f"part {done.first} on"
    before = "none" if done.before is None else f"{done.before.recipe} {done.before.version}"
    return [
        f"station {done.station}: recipe {done.now.recipe} version {done.now.version} judges from"
        f" {first} (before: {before}); loaded in {done.loading_ms / 1000:.1f} s beside the line"
    ]
