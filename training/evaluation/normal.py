"""What good parts look like to a bundle, and the threshold: from a recipe, or measured here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from models.bundle import Bundle
from models.calibration import ScaleRange, fuse
from models.engine import Engine
from models.errors import InputError
from models.ranges import scale_range
from models.recipe import LoadedRecipe
from models.scope import Scope
from models.threshold import default_rate, threshold
from training.data.good import digest
from training.data.samples import DataSet
from training.evaluation.maps import KeptMaps, look


@dataclass(frozen=True, eq=False)
class Normal:
    """What normalizes maps and sets thresholds. No test image has a part in it."""

    source: str  # "recipe" or "held-out"
    alpha: float
    ranges: dict[str, ScaleRange]  # a scale each
    images: int  # good ones that it was made from
    false_reject_rate: float  # that the thresholds are made for
    scope: Scope
    thresholds: Callable[[float], float | None] = field(repr=False)  # by alpha


def from_recipe(recipe: LoadedRecipe) -> Normal:
    """Take a recipe as it is; its threshold is for its alpha alone."""
    made = recipe.calibration
    return Normal(
        "recipe",
        made.alpha,
        dict(made.scales),
        made.parts,
        made.false_reject_rate,
        recipe.scope,
        lambda alpha: made.threshold if alpha == made.alpha else None,
    )


def held_out(data: DataSet, bundle: Bundle) -> list[Path]:
    """List the data set's good images that are no test images and were not trained on.

    Raises ``InputError`` if they are fewer than 2.
    """
    trained_on = set(bundle.manifest.trained_on)
    good = [s.path for s in (*data.train, *data.validation) if s.good]
    fresh = [path for path in good if digest(path) not in trained_on]
    if len(fresh) < 2:
        raise InputError(
            f"{data.root}: {len(fresh)} of {len(good)} good images beside the test images were not"
            f" trained on by {bundle.path}, and 2 or more are needed to set ranges and threshold;"
            " train with --hold-out, or give a calibrated recipe with --recipe"
        )
    return fresh


@contextmanager
def from_held_out(
    data: DataSet,
    bundle: Bundle,
    engine: Engine,
    alpha: float,
    progress: Callable[[int], None],
) -> Iterator[Normal]:
    """Measure what was held out, as ``effad-calibrate`` does.

    Raises ``InputError`` where that is not possible. Thresholds are for the lowest false reject
    rate that so many images support, each on its own alpha.
    """
    paths = held_out(data, bundle)
    with KeptMaps() as kept:
        look(engine, paths, kept, progress)
        ranges = {
            scale: scale_range(scale, (kept[i][scale] for i in range(len(kept))))
            for scale in kept[0]
        }
        rate = default_rate(len(paths))

        def limit(at: float) -> float:
            fused = (fuse(kept[i], ranges, at, bundle.weights) for i in range(len(kept)))
            return threshold([one.score for one in fused], rate)

        yield Normal("held-out", alpha, ranges, len(paths), rate, engine.scope, limit)
