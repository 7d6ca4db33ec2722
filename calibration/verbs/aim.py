"""``effad-calibrate aim``: focus, exposure and light, live, against the good parts of a recipe."""

import argparse
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import cv2
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from calibration.aim import Aim, Held, against, aim
from calibration.aim_picture import aim_picture
from calibration.shown import FrameSource, Shown
from calibration.sources.camera import CameraSource
from calibration.sources.daemon import Snapshots
from calibration.sources.images import ImageSource
from calibration.sources.options import add_source, daemon_of
from daemon import settings
from models import recipe as recipes
from models.errors import InputError
from models.recipe import LoadedRecipe
from models.records import write_whole

_COLOURS = {"as then": "green", "high": "bold yellow", "low": "bold yellow", "": ""}
_LEAST = 9  # pixels a side


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "aim",
        help="a live aid for focus, exposure and light",
        description="Show sharpness, clipping, evenness, brightness and contrast of each frame,"
        " against the good parts that the recipe was calibrated on, until Ctrl-C.",
    )
    verb.add_argument(
        "recipe", type=Path, nargs="?", help="folder of the recipe; left out: numbers alone"
    )
    add_source(verb)
    verb.add_argument("--view", metavar="CAMERA", help="with --daemon: where there are several")
    verb.add_argument("--frames", type=int, metavar="N", help="end after N frames")
    verb.add_argument(
        "--save",
        type=Path,
        metavar="DIR",
        help="also as a picture, renewed with each frame: one a camera, or one an image",
    )
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Show what frames say until there are no more."""
    recipe = recipes.load(args.recipe) if args.recipe else None
    if args.save is not None:
        args.save.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    frames = islice(_source(args, recipe), args.frames)
    if not console.is_terminal:
        for shown in frames:
            console.print(line(shown, *_look(shown, recipe, args.save)), soft_wrap=True)
        return 0
    try:
        with Live(console=console, auto_refresh=False) as screen:
            for shown in frames:
                screen.update(panel(shown, *_look(shown, recipe, args.save)), refresh=True)
    except KeyboardInterrupt:
        pass
    return 0


def _source(args: argparse.Namespace, recipe: LoadedRecipe | None) -> FrameSource:
    if args.images is not None:
        return ImageSource(args.images)
    if args.daemon is not None:
        return Snapshots(daemon_of(args), args.view, args.patience)
    return CameraSource(
        settings.read(args.camera),
        None,
        station=args.station,
        recipe=recipe.recipe if recipe else None,
        patience_s=args.patience,
        newest=True,
    )


def _look(
    shown: Shown, recipe: LoadedRecipe | None, folder: Path | None
) -> tuple[Aim, Mapping[str, Held]]:
    if min(shown.pixels.shape[:2]) < _LEAST:
        raise InputError(f"{shown.name}: a frame must be {_LEAST} pixels high and wide, or more")
    found = aim(shown.pixels, shown.pixel_format)
    held: Mapping[str, Held] = {}
    if recipe is not None:
        box = recipe.recipe.region_of_interest
        held = against(found, shown.pixels, shown.pixel_format, recipe.calibration, box)
    if folder is not None:
        picture = aim_picture(shown.pixels, shown.pixel_format, found, held)
        png = cv2.imencode(".png", picture[:, :, ::-1])[1]
        write_whole(folder / f"aim-{_picture_name(shown)}.png", png.tobytes())
    return found, held


def _picture_name(shown: Shown) -> str:
    """Name an image's picture by the image, a live frame's by its camera."""
    return shown.path.stem if shown.path else shown.name.partition("-")[2]


def panel(shown: Shown, found: Aim, held: Mapping[str, Held]) -> Group:
    """Lay out what a frame says for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("", "now", "then", "now / then", ""):
        table.add_column(head, justify="left" if not head else "right")
    for name in ("brightness", "contrast", "sharpness"):
        now, one = getattr(found, name), held.get(name)
        then = (f"{one.then:.4g}", _ratio(one), _word(one)) if one else ("-", "-", "")
        table.add_row(name, f"{now:.4g}", *then)
    best = max(float(found.tiles.max()), 1e-12)
    grid = Table(
        box=None, pad_edge=False, title="sharpness, of the best tile", title_justify="left"
    )
    for row in found.tiles:
        grid.add_row(*(f"{value / best:4.0%}" for value in row))
    light = Text(
        f"at 0: {found.black:.2%}   at full scale: {found.white:.2%}\n"
        f"darkest corner to middle: {found.evenness:.2f}   left to right: {found.across:+.1%}"
        f"   top to bottom: {found.down:+.1%}"
    )
    return Group(Text(shown.name, "bold"), table, Text(), grid, Text(), light)


def line(shown: Shown, found: Aim, held: Mapping[str, Held]) -> str:
    """Give the same in a line, for what is no terminal."""
    numbers = [
        f"{name} {getattr(found, name):.4g}"
        + (f" (then {held[name].then:.4g}{_told(held[name])})" if name in held else "")
        for name in ("brightness", "contrast", "sharpness")
    ]
    weakest = found.tiles.min() / max(float(found.tiles.max()), 1e-12)
    return "  ".join(
        [
            shown.name,
            *numbers,
            f"weakest tile {weakest:.0%} of the sharpest",
            f"black {found.black:.2%}  white {found.white:.2%}",
            f"evenness {found.evenness:.2f}  across {found.across:+.1%}  down {found.down:+.1%}",
        ]
    )


def _told(one: Held) -> str:
    return f", {one.word}" if one.word else ""


def _ratio(one: Held) -> str:
    return f"{one.now / one.then:.2f}" if one.then else "-"


def _word(one: Held) -> Text:
    return Text(one.word, _COLOURS[one.word])
