"""The thesis' tables again, on a data set of one's own: trains, measures and compares, for hours.

``python -m tests.bench.ablations DATA FOLDER [--tables cdo penalty images] [--steps 1200]
[--seeds 0 1 2] [--natural FOLDER] [--threads 2]``. Each run is one bundle and one result in
FOLDER; what is there is not made again, so that a stopped series goes on. Prints the commands as it
gives them, and at the end of each table writes it as markdown and HTML beside the results.

``seeds``: the plain method, local, global and fused (table 5.6). ``cdo``: against L_CDO with two
kinds of synthetic anomaly (table 5.8). ``penalty``: L_OOD's weight (figure 5.1, table 5.6).
``images``: fewer good images (table 5.5). ``medium``: the medium network (table 5.7), by
``--medium-teacher``.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.images import find_images

PLAIN = "plain"
FEWER = (100, 20)


@dataclass(frozen=True)
class Setting:
    """One row of a table: what its runs are given beside steps and seed."""

    name: str
    options: tuple[str, ...] = ()
    images: int | None = None  # of the good ones; None: all


def tables(args: argparse.Namespace) -> dict[str, list[Setting]]:
    """Give the rows of each table; the first is what the others are held against."""
    plain = Setting(PLAIN)
    found = {
        "seeds": [plain],
        "cdo": [
            plain,
            *(
                Setting(f"cdo-{kind}", ("--coeff-cdo", "1", "--synthetic", kind))
                for kind in ("noise", "cut-paste")
            ),
        ],
        "images": [plain, *(Setting(f"images-{count}", images=count) for count in FEWER)],
    }
    if args.natural:
        natural = ("--natural", str(args.natural))
        found["penalty"] = [
            plain,
            *(Setting(f"ood-{c}", ("--coeff-ood", c, *natural)) for c in ("0.1", "1", "10")),
        ]
    if args.medium_teacher:
        found["medium"] = [plain, Setting("medium", ("--teacher", str(args.medium_teacher)))]
    return found


def give(module: str, *options: str) -> None:
    """Give a command of effad, and say so."""
    words = [module, *options]
    print(f"$ {shlex.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", *words], check=True)


def result(args: argparse.Namespace, setting: Setting, seed: int) -> Path:
    """Train and measure a bundle, where that has not been done; give its result."""
    name = f"{setting.name}-{seed}"
    made = args.folder / f"{name}.json"
    if made.exists():
        return Path(made)
    bundle, good = args.folder / f"{name}.bundle", args.data / "train" / "good"
    if not bundle.exists():
        images = good if setting.images is None else some(args, good, setting.images, seed)
        steps, seeded = ("--steps", str(args.steps)), ("--seed", str(seed))
        options = [*steps, *seeded, "--no-suspects", *setting.options]
        give("training.main", "run", str(images), str(bundle), *options)
    files = ["--report", str(made.with_suffix(".html")), "--json", str(made)]
    threads = ["--threads", str(args.threads)]
    give("training.evaluation.main", "run", str(bundle), str(args.data), *files, *threads)
    return Path(made)


def some(args: argparse.Namespace, good: Path, count: int, seed: int) -> Path:
    """Give a folder of so many of the good images, drawn by seed."""
    folder: Path = args.folder / f"good-{count}-{seed}"
    folder.mkdir(exist_ok=True)
    paths = find_images(good)
    for place in np.random.default_rng(seed).permutation(len(paths))[:count]:
        link = folder / paths[place].name
        if not link.exists():
            link.symlink_to(paths[place].resolve())
    return folder


def compare(args: argparse.Namespace, table: str, settings: Sequence[Setting]) -> None:
    """Train and measure seed by seed, so that a series cut short is a whole one of fewer seeds."""
    results: dict[str, list[str]] = {setting.name: [] for setting in settings}
    for seed in args.seeds:
        for setting in settings:
            results[setting.name].append(str(result(args, setting, seed)))
    named = [f"{name}={','.join(files)}" for name, files in results.items()]
    files = ["--markdown", f"{args.folder}/{table}.md", "--html", f"{args.folder}/{table}.html"]
    maps = ["--map", "fused", "local", "global"]
    give("training.evaluation.main", "compare", *named, *files, *maps)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="MVTec layout")
    parser.add_argument("folder", type=Path, help="for bundles, results and tables")
    parser.add_argument("--tables", nargs="+", default=["seeds", "cdo"])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--natural", type=Path)
    parser.add_argument("--medium-teacher", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args(argv)
    known = tables(args)
    if missing := [table for table in args.tables if table not in known]:
        parser.error(f"{missing[0]}: must be one of {', '.join(known)}")
    args.folder.mkdir(parents=True, exist_ok=True)
    for table in args.tables:
        compare(args, table, known[table])
    return 0


if __name__ == "__main__":
    sys.exit(main())
