"""``effad-train data``: check a data set, or bring one into another layout."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.errors import InputError
from training.data.check import check
from training.data.findings import Findings
from training.data.read import LAYOUTS, read_data
from training.data.real_iad import is_real_iad, real_iad_categories
from training.data.restructure import restructure


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-train``'s."""
    verb = verbs.add_parser("data", help="check a data set, or restructure Real-IAD")
    inner = verb.add_subparsers(dest="what", required=True)
    checked = inner.add_parser("check", help="say what is in a data set, and what is wrong with it")
    checked.add_argument("data", type=Path, help="folder of good images, or of a data set")
    checked.add_argument("--layout", choices=LAYOUTS, help="default: found by looking")
    checked.add_argument("--json", action="store_true", help="all of it, for programs")
    checked.set_defaults(command=_check)
    real = inner.add_parser("real-iad", help="restructure Real-IAD into MVTec's layout (table 5.1)")
    real.add_argument("source", type=Path, metavar="SRC", help="Real-IAD's folder, or a category's")
    real.add_argument("target", type=Path, metavar="DST", help="folder to write; may go on")
    real.add_argument("--category", action="append", help="may be repeated (default: all)")
    real.add_argument(
        "--resolution",
        choices=["1024", "512", "256", "raw"],
        help="of the images (default: the first of these that is there)",
    )
    real.add_argument(
        "--setting",
        choices=["uiad", "fuiad"],
        default="uiad",
        help="uiad: trained on good images alone; fuiad: on a contaminated set (default: uiad)",
    )
    real.add_argument(
        "--noise", type=float, default=0.1, help="share of defects under fuiad (default: 0.1)"
    )
    how = real.add_mutually_exclusive_group()
    how.add_argument("--copy", action="store_true", help="copy the files (the default)")
    how.add_argument(
        "--link", action="store_true", help="link to the files symbolically: SRC must stay"
    )
    real.set_defaults(command=_real_iad)


def _check(args: argparse.Namespace) -> int:
    """Report; status 1 if something must be put right first."""
    findings = check(read_data(args.data, args.layout))
    if args.json:
        json.dump(findings.as_json(), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        report(findings, Console())
    return 1 if findings.errors else 0


def report(findings: Findings, console: Console) -> None:
    """Print what a data set holds, and what is wrong with it."""
    table = Table(title=f"{findings.name} ({findings.layout})", title_justify="left")
    table.add_column("what")
    table.add_column("images", justify="right")
    for title, counts in (
        ("images", findings.images),
        ("size", findings.sizes),
        ("stored as", findings.channels),
    ):
        most = sorted(counts.items(), key=lambda item: -item[1]) if title != "images" else None
        rows = list(counts.items()) if most is None else most[:5]
        for what, count in rows:
            table.add_row(f"{title}: {what}", str(count))
        if rest := len(counts) - len(rows):
            table.add_row(f"{title}: {rest} others", str(sum(c for _, c in (most or [])[5:])))
    console.print(table)
    seen = f" in views {', '.join(findings.views)}" if findings.views else ""
    console.print(f"{findings.parts} parts{seen}", highlight=False)
    for kind, lines in (("error", findings.errors), ("warning", findings.warnings)):
        for line in lines:
            console.print(f"{kind}: {line}", markup=False, highlight=False, soft_wrap=True)
    if not (findings.errors or findings.warnings):
        console.print("nothing found that a training would suffer from")


def _real_iad(args: argparse.Namespace) -> int:
    for source in _sources(args.source, args.category, args.resolution):
        done = restructure(source, args.target, args.setting, args.noise, args.link)
        data = done.data
        normal = sum(s.good for s in (*data.train, *data.test))
        moved = f"; {done.moved} moved from train to test, with the rest of their part"
        print(
            f"{done.folder}: {'written' if done.fresh else 'is there already'};"
            f" {len(data.train) + len(data.test) - normal} abnormal, {normal} normal;"
            f" {len(data.train)} to train on, {len(data.test)} to test with"
            + (moved if done.moved else "")
        )
    return 0


def _sources(source: Path, categories: list[str] | None, resolution: str | None) -> list[Path]:
    """Find the folders of the categories' images."""
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; name Real-IAD's")
    if is_real_iad(source):
        return [source]
    known = {p.name: source / p for p in real_iad_categories(source, resolution)}
    if not known:
        within = f"realiad_{resolution}" if resolution else "realiad_1024 or the like"
        raise InputError(f"{source}: no categories of Real-IAD in {within} (OK and NG in each)")
    for name in categories or ():
        if name not in known:
            raise InputError(f"--category {name}: must be one of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(categories or known)]
