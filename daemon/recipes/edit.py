"""``effad-recipe edit``: a new version with changes, and a picture of what it looks at."""

import argparse
from pathlib import Path

import cv2

from daemon.recipes import labelme
from daemon.recipes.changes import changed, checked
from daemon.recipes.health import examine
from daemon.recipes.picture import draw
from daemon.recipes.say import say, who
from models import recipe_store as store
from models.bundle import MANIFEST, Manifest
from models.errors import InputError
from models.images import read_rgb
from models.recipe import Recipe, mask_of
from models.recipe_library import check_free
from models.region import Mask, read_mask
from models.scope import Scope

_DESCRIPTION = """Write a new version of a recipe with changes; the old one stays as it is. Where
they change what is looked at, or alpha, its threshold is not valid, and it cannot
be activated, before effad-calibrate run has made a new one. Without changes: draw a
picture of what the recipe looks at."""
_EXAMPLES = """examples:
  effad-recipe edit recipes/nut --picture now.png
  effad-recipe edit recipes/nut --labelme nut.json --image nut.png --picture new.png
  effad-recipe edit recipes/nut --set id=7 --set camera.*.exposure_us=800
  effad-recipe edit recipes/nut --set pixels_per_mm=12.5 --set minimum_region_area_mm2=0.2
"""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "edit",
        help="a new version with changes, and a picture of what it looks at",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="its folder")
    verb.add_argument("--version", type=int, metavar="N", help="to start from [the active one]")
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="any field of the recipe; an empty value sets it back to its default",
    )
    verb.add_argument(
        "--labelme",
        type=Path,
        metavar="FILE",
        help="LabelMe's JSON, drawn on a frame: polygons, rectangles and circles labelled inspect"
        " or ignore take the place of those that the recipe has",
    )
    verb.add_argument(
        "--ignore", type=Path, metavar="MASK", help="image as large as the frame, white: ignored"
    )
    verb.add_argument(
        "--picture", type=Path, metavar="OUT.png", help="of what is inspected, and what is not"
    )
    verb.add_argument(
        "--image", type=Path, metavar="FRAME", help="to draw it in [the bundle's reference frame]"
    )
    verb.add_argument("--activate", action="store_true", help="if its threshold is valid")
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    folder: Path = args.recipe
    if args.image and not args.picture:
        raise InputError("--image FRAME goes with --picture OUT.png")
    if not (args.settings or args.labelme or args.ignore):
        if not args.picture:
            raise InputError("nothing to do; give --set, --labelme or --ignore, or --picture")
        recipe = _base(folder, args.version)
        _picture(args, recipe, _mask(args, recipe))
        return 0
    with store.locked_existing(folder):
        base = _base(folder, args.version)
        fresh = _fresh(args, base)
        mask = _mask(args, fresh)  # before anything is written: it may leave nothing to inspect
        if args.picture:
            _picture(args, fresh, mask)
        files = {} if args.ignore is None else {str(fresh.ignore_mask): args.ignore.read_bytes()}
        return _tell(args, base, store.add(folder, fresh, files))


def _base(folder: Path, version: int | None) -> Recipe:
    wanted = version or store.active(folder) or max(store.versions(folder), default=None)
    return store.read(folder, wanted)


def _fresh(args: argparse.Namespace, base: Recipe) -> Recipe:
    """Give the changed recipe; raises ``InputError`` if nothing differs or it cannot be so."""
    folder: Path = args.recipe
    fields = changed(base, args.settings)
    if args.labelme is not None:
        size = _manifest(folder, base).input
        drawn = labelme.read(args.labelme, size.height, size.width)
        fields["regions"], fields["ignored"] = drawn
    version = store.next_version(folder)
    if args.ignore is not None:
        fields["ignore_mask"] = f"ignore-{version}.png"
    identity = {"version": version, "created": "", "files": {}}
    fresh = checked({**fields, **identity}, folder)
    if fresh == base.model_copy(update=identity):
        raise InputError(f"{folder}: version {base.version} is so already; nothing was written")
    if (fresh.name, fresh.id) != (base.name, base.id):
        check_free(folder.resolve().parent, folder, fresh.name, fresh.id)
    return fresh


def _tell(args: argparse.Namespace, base: Recipe, fresh: Recipe) -> int:
    """Say what became of a new version, and activate it where that is wanted and can be."""
    folder: Path = args.recipe
    health = examine(folder, fresh.version)
    if health.loaded is None:
        say(
            f"{folder}: version {fresh.version} written from version {base.version}, not active:"
            " its threshold is to be made anew",
            f"  {health.fault}",
            f"next: effad-calibrate run {folder} --from-version {fresh.version} --images FOLDER",
        )
        return 1 if args.activate else 0
    say(
        f"{folder}: version {fresh.version} written from version {base.version},"
        f" threshold {health.threshold} as before"
    )
    if args.activate:
        store.activate(folder, fresh.version, who=who(), why="edit")
        say(f"{folder}: version {fresh.version} is active")
    else:
        say(f"next: effad-recipe activate {folder} --version {fresh.version}")
    return 0


def _mask(args: argparse.Namespace, recipe: Recipe) -> Mask | None:
    folder: Path = args.recipe
    size = _manifest(folder, recipe).input
    file = args.ignore or (folder / recipe.ignore_mask if recipe.ignore_mask else None)
    painted = read_mask(file, size.height, size.width) if file else None
    mask = mask_of(recipe, painted, size.height, size.width)
    Scope(region=recipe.region_of_interest, ignored=mask).check(size.height, size.width)
    return mask


def _picture(args: argparse.Namespace, recipe: Recipe, mask: Mask | None) -> None:
    manifest = _manifest(args.recipe, recipe)
    size = manifest.input
    path = args.image or args.recipe / recipe.bundle / manifest.reference.frame.name
    frame = read_rgb(path)
    if frame.shape[:2] != (size.height, size.width):
        raise InputError(
            f"{path}: {frame.shape[1]} x {frame.shape[0]} pixels, and the recipe's frames have"
            f" {size.width} x {size.height}"
        )
    png = cv2.imencode(".png", draw(frame, recipe, mask)[..., ::-1])[1]
    args.picture.write_bytes(png.tobytes())
    say(f"{args.picture}: what version {recipe.version} looks at")


def _manifest(folder: Path, recipe: Recipe) -> Manifest:
    return Manifest.read(folder / recipe.bundle / MANIFEST)
