"""Another alpha or rate without frames: from the scores that a calibration has kept."""

import argparse
from pathlib import Path

from calibration.next_version import base, revised
from calibration.record import with_alpha
from calibration.verbs.run_options import choice_of
from models import recipe as recipes
from models.calibration import Calibration
from models.errors import InputError
from models.recipe import Recipe
from models.recipe_record import THRESHOLD_FIELDS

_SHOW = "show good parts with --images, --daemon or --camera"
#: Options that take frames.
_TAKE_FRAMES = (
    "bundle",
    "mode",
    "tile_share",
    "tile_stride",
    "region",
    "ignore",
    "precision",
    "device",
    "threads",
    "labelled",
    "frames",
    "leave_out",
    "without_suspects",
    "report",
    "json",
)


def rescore(folder: Path, args: argparse.Namespace) -> tuple[Recipe, Calibration]:
    """Give the next version with its calibration, from the active one's; raises ``InputError``.

    Nothing else may differ from the active version that a threshold depends on.
    """
    for option in _TAKE_FRAMES:
        if getattr(args, option):
            raise InputError(f"--{option.replace('_', '-')}: takes frames; {_SHOW}")
    old = base(folder, args.from_version)
    if old is None:
        raise InputError(f"{folder}: no recipe here yet; {_SHOW}")
    if args.alpha is args.target_false_reject is args.from_version is None:
        raise InputError(f"{folder}: nothing to calibrate by; {_SHOW}, or name another --alpha")
    active = recipes.load(folder)
    for key in THRESHOLD_FIELDS:
        if key != "alpha" and getattr(old, key) != getattr(active.recipe, key):
            raise InputError(
                f"{folder}: {key} of version {old.version} is not that of the active version"
                f" {active.recipe.version}, whose scores are kept; {_SHOW}"
            )
    alpha = old.alpha if args.alpha is None else args.alpha
    changes = {} if args.deadline_ms is None else {"deadline_ms": args.deadline_ms}
    recipe = revised(folder, old, alpha=alpha, **changes)
    choice = choice_of(args, recipe.alpha, recipe.tile_share)
    return recipe, with_alpha(active.calibration, choice)
