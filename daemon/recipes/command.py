"""effad-recipe: recipes of a library, their versions, and which is active."""

import argparse
import sys

from daemon.recipes import activate, edit, export, importing, listing, shadow, show
from models.errors import reports_input_errors

_DESCRIPTION = """Look after recipes: a folder each, a file a version, one version active.
Versions never change; effad-calibrate run and effad-recipe edit write new ones."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("effad-recipe", description=_DESCRIPTION)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in (listing, show, activate, shadow, edit, export, importing):
        module.add(verbs)
    return top


@reports_input_errors("effad-recipe")
def main(argv: list[str] | None = None) -> int:
    """Look after recipes. Status: 0, 1 (list, diff, edit) something to see to, 2 wrong."""
    args = parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    sys.exit(main())
