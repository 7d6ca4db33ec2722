"""``effad-calibrate``: fit a recipe to the good parts of this lot, in this light."""

import argparse

from calibration.verbs import aim, challenge, repeat, run
from models.errors import reports_input_errors


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="effad-calibrate", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb in (run, repeat, challenge, aim):
        verb.add(verbs)
    return top


@reports_input_errors("effad-calibrate")
def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    raise SystemExit(main())
