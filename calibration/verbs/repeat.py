"""``effad-calibrate repeat``: would one part get the same verdict at each trigger?"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from calibration.judged import by_part, engine_of, judged
from calibration.repeatability import CONFIDENCE, Repeatability, Spread, repeatability
from calibration.sources.options import add_source, source_of
from models import recipe as recipes

NOT_REPEATABLE = 1  # exit status
_TREND = 0.5  # correlation from which it is told


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "repeat",
        help="trigger one part again and again: does its verdict hold?",
        description="Look at one part that stays where it is, again and again, and say how far its"
        " score scatters, how far it is from the threshold, and how likely a trigger gives the"
        " other verdict. Status: 0 repeatable, 1 not, 2 wrong usage.",
    )
    verb.add_argument("recipe", type=Path, help="folder of the recipe")
    verb.add_argument("--triggers", type=int, default=50, metavar="N", help="[%(default)s]")
    verb.add_argument(
        "--most-flips",
        type=float,
        default=0.001,
        metavar="P",
        help="repeatable means: no trigger gave the other verdict, and the probability of one is"
        f" at most this at {CONFIDENCE:.0%} confidence [%(default)g]",
    )
    verb.add_argument(
        "--trigger", action="store_true", help="with --daemon: send the software triggers"
    )
    add_source(verb)
    verb.add_argument("--json", action="store_true", help="print the numbers as JSON")
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Study a part; 0 if it is repeatable."""
    recipe = recipes.load(args.recipe)
    engine = engine_of(recipe)
    source = source_of(args, args.triggers, "all", recipe=recipe.recipe, trigger=args.trigger)
    console = Console(stderr=True)
    frames = track(source, "looking", total=source.total, console=console, transient=True)
    looked = list(by_part(judged(frames, recipe, engine), recipe))
    found = repeatability(looked, recipe.calibration.threshold)
    good = found.repeatable(args.most_flips)
    if args.json:
        print(json.dumps({**asdict(found), "repeatable": good}, indent=1))
    else:
        Console(highlight=False).print(table(found))
        print(conclusion(found, args.most_flips))
    return 0 if good else NOT_REPEATABLE


def table(found: Repeatability) -> Table:
    """Lay out how far each value scatters."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("of each trigger", "mean", "standard deviation", "of the mean"):
        made.add_column(head, justify="left" if head == "of each trigger" else "right")
    made.add_row("score", *_cells(found.score))
    for name, spread in sorted(found.maps.items()):
        made.add_row(f"{name} map, largest", *_cells(spread))
    return made


def conclusion(found: Repeatability, most: float) -> str:
    """Say in words what the study found."""
    away = "" if found.distance is None else f", {abs(found.distance):.1f} standard deviations away"
    low, high = found.flip_interval
    rate_low, rate_high = found.other_interval
    lines = [
        f"{found.triggers} triggers, mostly {found.verdict}; threshold {found.threshold:.4f}{away}",
        f"the other verdict came {found.other} times (rate {rate_low:.2%} to {rate_high:.2%})",
        f"were the scores normal, a trigger would give it with probability {found.flip:.1e}"
        f" ({low:.1e} to {high:.1e} at {CONFIDENCE:.0%} confidence)",
    ]
    if found.distance is None:
        lines.append("all scores are equal: is it the same image each time?")
    if abs(found.trend) >= _TREND:
        lines.append(
            f"the score went {'up' if found.trend > 0 else 'down'} from trigger to trigger"
            f" (correlation {found.trend:+.2f}): something drifts, such as a light that warms up"
        )
    if found.repeatable(most):
        lines.append("repeatable")
    else:
        lines.append(
            f"NOT repeatable: steadier light, a longer exposure or a fixed part would help; wanted"
            f" is no other verdict, and a probability of at most {most:g}"
        )
    return "\n".join(lines)


def _cells(spread: Spread) -> tuple[str, str, str]:
    share = f"{spread.deviation / abs(spread.mean):.2%}" if spread.mean else "-"
    return f"{spread.mean:.5g}", f"{spread.deviation:.3g}", share
