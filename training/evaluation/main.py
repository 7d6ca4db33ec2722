"""``effad-evaluate``: how good a bundle is on images that it has never seen."""

import argparse

from models.errors import reports_input_errors
from training.evaluation import compare, run


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="effad-evaluate", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb in (run, compare):
        verb.add(verbs)
    return top


@reports_input_errors("effad-evaluate")
def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    raise SystemExit(main())
