"""``effad-evaluate run``: a bundle on a data set's test images, as a report, JSON and a table."""

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from models import bundle as bundles
from models import recipe as recipes
from models.errors import InputError
from models.records import write_whole
from training.data.read import read_data
from training.evaluation.evaluate import Choice, evaluate, look_at_test
from training.evaluation.options import add_options, choice_of, told
from training.evaluation.panels import choose, panels
from training.evaluation.report import html
from training.evaluation.terminal import show
from training.evaluation.tiff import need_tifffile, write_maps


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-evaluate``'s."""
    verb = verbs.add_parser("run", help="measure a bundle on a data set's test images")
    verb.add_argument("bundle", type=Path, help="folder of the bundle")
    verb.add_argument("data", type=Path, help="folder of the data set")
    verb.add_argument(
        "--recipe",
        type=Path,
        help="take alpha, ranges, threshold and region from this recipe of the bundle (default:"
        " made from the data set's good images that are neither test images nor trained on)",
    )
    add_options(verb)
    verb.add_argument(
        "--report", type=Path, help="HTML file to write (default: <bundle>-on-<data>.html)"
    )
    verb.add_argument("--json", type=Path, help="JSON file to write (default: beside the report)")
    verb.add_argument(
        "--maps", type=Path, help="folder for the fused maps as 32-bit TIFF of the images' size"
    )
    verb.add_argument(
        "--no-sweep", action="store_true", help="leave out the fused map at other alphas"
    )
    verb.set_defaults(command=command)


def command(args: argparse.Namespace) -> int:
    bundle = bundles.load(args.bundle)
    data = read_data(args.data, args.layout)
    choice = _with_recipe(args, choice_of(args, sweep=not args.no_sweep))
    name = f"{args.bundle.resolve().name}-on-{args.data.resolve().name}"
    report: Path = args.report or Path(f"{name}.html")
    result_file: Path = args.json or report.with_suffix(".json")
    if args.maps is not None:
        need_tifffile()
    for file in (report, result_file):
        if not file.parent.is_dir():
            raise InputError(f"{file.parent}: no such folder; make it, or name another file")
    console = Console(stderr=True)
    with (
        told(console) as progress,
        look_at_test(bundle, data, choice, progress) as (looked, engine),
    ):
        if args.maps is not None:
            write_maps(looked, args.maps)
        result = evaluate(looked, engine, bundle, choice, progress)
        scores = looked.scores(looked.normal.alpha)
        pictures = panels(looked, scores, choose(looked, scores))
    result.write(result_file)
    write_whole(report, html(result, pictures).encode())
    show(result, Console())
    print(f"{report} and {result_file}")
    return 0


def _with_recipe(args: argparse.Namespace, choice: Choice) -> Choice:
    if args.recipe is None:
        return choice
    for option, given in (("--alpha", args.alpha), ("--mode", args.mode)):
        if given is not None:
            raise InputError(
                f"{option} {given}: the recipe {args.recipe} decides that; leave one of the two"
            )
    return replace(choice, recipe=recipes.load(args.recipe))
