"""``effad-evaluate compare``: results of several runs, or bundles, side by side."""

import argparse
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue, TypeAdapter
from rich.console import Console

from models import bundle as bundles
from models.bundle import MANIFEST
from models.errors import InputError
from models.records import write_whole
from training.data.read import read_data
from training.evaluation.bootstrap import Bootstrap
from training.evaluation.comparison import Contender, compare
from training.evaluation.comparison_text import EXPLAINED, check_over, html, markdown, terminal
from training.evaluation.evaluate import evaluate, look_at_test
from training.evaluation.options import add_options, choice_of, told
from training.evaluation.result import MAPS, Result


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-evaluate``'s."""
    verb = verbs.add_parser("compare", help="put results, or bundles, side by side")
    verb.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]RUN[,RUN...]",
        help="JSON result of `run`, or a bundle (then --data); several, by commas, are seeds of one"
        " setting. The first is what the others are held against",
    )
    verb.add_argument("--data", type=Path, help="data set that bundles are measured on")
    verb.add_argument("--map", nargs="+", choices=MAPS, default=MAPS, help="maps to compare")
    verb.add_argument("--over", help="draw a chart over this setting, such as coeff_ood (--html)")
    verb.add_argument("--markdown", type=Path, help="file to write the table to")
    verb.add_argument("--html", type=Path, help="file to write it to as a page")
    verb.add_argument("--json", type=Path, help="file to write its numbers to")
    add_options(verb)
    verb.set_defaults(command=command)


def command(args: argparse.Namespace) -> int:
    contenders = [_contender(run, args) for run in args.runs]
    names = [contender.name for contender in contenders]
    if len(names) != len(set(names)):
        again = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two runs are named {again}; tell them apart by NAME=RUN")
    how = Bootstrap(args.resamples, args.seed)
    rows = compare(contenders, how, args.map)
    if args.over is not None:
        check_over(rows, args.over)
    Console().print(terminal(rows))
    print(EXPLAINED.format(level=how.level))
    if args.markdown is not None:
        write_whole(args.markdown, markdown(rows, how.level).encode())
    if args.html is not None:
        write_whole(args.html, html(rows, how.level, args.over).encode())
    if args.json is not None:
        found: dict[str, JsonValue] = {
            "format": 1,
            "kind": "effad-comparison",
            "intervals": asdict(how),
            "rows": [asdict(row) for row in rows],
        }
        write_whole(args.json, TypeAdapter(JsonValue).dump_json(found, indent=1) + b"\n")
    return 0


def _contender(said: str, args: argparse.Namespace) -> Contender:
    """Read what one argument names."""
    name, equals, files = said.partition("=")
    if not equals:
        name, files = "", said
    results = tuple(_result(Path(file), args) for file in files.split(",") if file)
    if not results:
        raise InputError(f"{said!r}: names no result; write NAME=FILE, or FILE")
    return Contender(name or results[0].bundle.name, results)


def _result(path: Path, args: argparse.Namespace) -> Result:
    if not path.is_dir():
        return Result.read(path)
    if not (path / MANIFEST).is_file():
        raise InputError(f"{path}: neither a result of effad-evaluate run nor a bundle")
    if args.data is None:
        raise InputError(f"{path}: a bundle; name the data set to measure it on with --data")
    bundle, choice = bundles.load(path), choice_of(args, sweep=False)
    data = read_data(args.data, args.layout)
    with (
        told(Console(stderr=True)) as progress,
        look_at_test(bundle, data, choice, progress) as (looked, engine),
    ):
        return evaluate(looked, engine, bundle, choice, progress)
