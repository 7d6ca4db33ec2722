"""``effad-train``: train a bundle from good parts, distil a teacher, import a published one."""

import argparse

from models.errors import reports_input_errors
from training.verbs import data, distill, import_teacher, run


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="effad-train", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb in (run, distill, import_teacher, data):
        verb.add(verbs)
    return top


@reports_input_errors("effad-train")
def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    raise SystemExit(main())
