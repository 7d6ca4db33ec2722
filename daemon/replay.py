"""effad-replay: look at images again, and say whether their verdicts come out again."""

import argparse
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from daemon.archive.comparison import Comparison, Looked, compare
from daemon.archive.read import Image, find, read
from daemon.inspection.judge import judge
from daemon.overlay import heat_overlay
from models import recipe as recipes
from models.engine import Engine
from models.errors import InputError, reports_input_errors
from models.pixels import to_rgb, upload
from models.recipe import LoadedRecipe

NOT_REPRODUCED, REFUSED = 1, 2  # exit statuses


class Bench:
    """A recipe with the engines that its images were inspected by."""

    def __init__(self, recipe: LoadedRecipe, options: argparse.Namespace) -> None:
        self.recipe = recipe
        self._options = options
        self._engines: dict[tuple[str, int], Engine] = {}

    def look(self, image: Image) -> Looked:
        """Inspect an image; raises ``InputError`` if it does not fit the recipe."""
        size = self.recipe.bundle.manifest.input
        height, width = image.pixels.shape[:2]
        if (width, height) != (size.width, size.height):
            raise InputError(
                f"{image.path}: {width} x {height} pixels, and recipe {self.recipe.path} is for"
                f" {size.width} x {size.height}; give another recipe with --recipe"
            )
        engine = self._engine((image.record and image.record.verdict.engine) or "")
        raw = engine.look(image.pixels, image.pixel_format)
        anomaly = self.recipe.fuse(raw)
        kind, found = judge(anomaly, self.recipe)
        return Looked(kind, found, anomaly, raw, engine.fingerprint)

    def _engine(self, recorded: str) -> Engine:
        """Give an engine with the recorded one's fingerprint, if this machine can have it."""
        key = (self._device(recorded), self._threads(recorded))
        if key not in self._engines:
            engine = self.recipe.engine(*key)
            engine.verify()
            self._engines[key] = engine
        return self._engines[key]

    def _device(self, recorded: str) -> str:
        device: str = self._options.device
        there = torch.cuda.is_available()
        if device == "cuda" and not there:
            raise InputError("--device cuda: this machine has no CUDA device; allowed here: cpu")
        if device != "auto":
            return device
        on_cuda = "/cuda/" in (recorded or f"/{self.recipe.calibration.device}/")
        return "cuda" if on_cuda and there else "cpu"

    def _threads(self, recorded: str) -> int:
        """Threads decide the order of sums, and thus the last bits."""
        if self._options.threads is not None:
            return int(self._options.threads)
        named = re.search(r"/threads-([1-9]\d{0,3})/", recorded or self.recipe.calibration.engine)
        return int(named[1]) if named else 1


def differences(image: Image, recipe: LoadedRecipe) -> list[str]:
    """Say in what a recipe is not the one that an image was inspected by."""
    if image.record is None:
        return []
    was = image.record.verdict
    pairs = {
        "recipe": (was.recipe, recipe.recipe.name),
        "version": (was.recipe_version, recipe.recipe.version),
        "bundle": (_short(was.bundle), _short(recipe.bundle.sha256)),
        "calibration": (_short(was.calibration), _short(recipe.calibration_sha256)),
    }
    return [f"{what} {then}, not {now}" for what, (then, now) in pairs.items() if then != now]


def replay(image: Image, bench: Bench, options: argparse.Namespace) -> int:
    """Look at an image, say what is found, and give the exit status."""
    if options.verify and image.record is None:
        raise InputError(f"{image.path}: has no JSON beside it, so that there is nothing to verify")
    other = differences(image, bench.recipe)
    if other and not options.any_recipe:
        raise InputError(
            f"{image.path}: inspected by {', '.join(other)} as in {bench.recipe.path}; give its"
            " recipe with --recipe, or --any-recipe to look at it with this one"
        )
    looked = bench.look(image)
    compared = None
    if image.record is not None and not other:
        compared = compare(image, looked, bench.recipe)
    _say(image, looked, compared, bench.recipe, options)
    if options.overlay is not None:
        _draw(image, looked, bench.recipe, options.overlay)
    failed = options.verify and compared is not None and not compared.reproduced
    return NOT_REPRODUCED if failed else 0


def _say(
    image: Image,
    looked: Looked,
    compared: Comparison | None,
    recipe: LoadedRecipe,
    options: argparse.Namespace,
) -> None:
    threshold = recipe.calibration.threshold
    if options.json:
        print(json.dumps(_facts(image, looked, compared, threshold)), flush=True)
        return
    sign = ">=" if looked.score >= threshold else "<"
    said = f"{image.path}: {looked.verdict}, score {looked.score:.6f} {sign} {threshold:.6f}"
    if compared is not None:
        said += f"; {_judgement(compared)}"
    elif image.record is not None:
        said += "; by another recipe, not compared"
    print(said, flush=True)


def _judgement(compared: Comparison) -> str:
    how = "bit for bit, by the same engine"
    if not compared.same_engine:
        how = f"within {compared.tolerance:.3g}, the tolerance of another engine"
        if compared.map_difference is not None:
            how += f" (map differs by {compared.map_difference:.3g} at most)"
    if compared.reproduced:
        return f"reproduced {how}"
    return f"NOT reproduced {how}: {'; '.join(compared.faults)}"


def _facts(
    image: Image, looked: Looked, compared: Comparison | None, threshold: float
) -> dict[str, object]:
    record = image.record
    view = record.view if record else None
    return {
        "image": str(image.path),
        "verdict": looked.verdict,
        "score": looked.score,
        "threshold": threshold,
        "regions": len(looked.regions),
        "engine": looked.engine,
        "recorded_verdict": view.verdict if view else None,
        "recorded_score": view.score if view else None,
        "recorded_engine": record.verdict.engine if record else None,
        "same_engine": compared.same_engine if compared else None,
        "tolerance": compared.tolerance if compared else None,
        "score_difference": compared.score_difference if compared else None,
        "map_difference": compared.map_difference if compared else None,
        "reproduced": compared.reproduced if compared else None,
        "faults": list(compared.faults) if compared else [],
    }


def _draw(image: Image, looked: Looked, recipe: LoadedRecipe, path: Path) -> None:
    rgb = to_rgb(upload(image.pixels, torch.device("cpu")), image.pixel_format)
    frame: NDArray[np.uint8] = (rgb.permute(1, 2, 0) * 255).round().byte().numpy()
    anomaly = looked.anomaly
    picture = heat_overlay(
        frame,
        anomaly.values.numpy(),
        anomaly.placement,
        recipe.calibration.threshold,
        looked.regions,
    )
    path.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())


def _short(digest: str | None) -> str:
    return (digest or "none")[:12]


def _recipe(options: argparse.Namespace, paths: list[Path]) -> LoadedRecipe:
    if options.recipe is not None:
        return recipes.load(options.recipe)
    record = read(paths[0]).record
    wanted = "the recipe to look with"
    if record is not None:
        was = record.verdict
        wanted = (
            f"recipe {was.recipe} version {was.recipe_version}, which inspected {paths[0].name}"
        )
    raise InputError(f"--recipe is missing: give the folder of {wanted}")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "effad-replay",
        description="Look at images again, as effad did, and hold what comes out against what was"
        " recorded. With the recorded engine (same processor, precision, threads, torch) that must"
        " be equal bit for bit, with another within the tolerances of both.",
        epilog="Status: 0; 1 with --verify where something was not reproduced; 2 where an image"
        " could not be looked at, or the command is wrong.",
    )
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="an image, or a folder of them")
    add("--recipe", type=Path, metavar="FOLDER", help="the recipe that they were inspected by")
    add("--verify", action="store_true", help="fail unless every verdict, score and map comes out")
    add("--any-recipe", action="store_true", help="look with --recipe whatever it is")
    add("--json", action="store_true", help="print JSON, one object an image")
    add("--overlay", type=Path, metavar="FILE", help="draw the map over the image, as PNG")
    add(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="auto: the recorded one, if this machine has it [%(default)s]",
    )
    add("--threads", type=int, metavar="N", help="CPU threads [the recorded ones]")
    options = parser.parse_args(argv)
    if options.verify and options.any_recipe:
        parser.error("--verify takes the recipe that the images were inspected by: no --any-recipe")
    return options


@reports_input_errors("effad-replay")
def main(argv: list[str] | None = None) -> int:
    """Look at images again. Status: 0, 1 not reproduced, 2 refused or wrong usage."""
    options = _parse(argv)
    paths = [path for given in options.images for path in find(given)]
    if options.overlay is not None and len(paths) > 1:
        raise InputError(f"--overlay draws one image, and these are {len(paths)}; name one")
    bench = Bench(_recipe(options, paths), options)
    status = 0
    for path in paths:
        # One that cannot be looked at is told, and the others are looked at all the same.
        try:
            status = max(status, replay(read(path), bench, options))
        except InputError as error:
            sys.stderr.write(f"effad-replay: error: {error}\n")
            status = REFUSED
    return status


if __name__ == "__main__":
    sys.exit(main())
