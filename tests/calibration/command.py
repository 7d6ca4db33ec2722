"""``effad-calibrate run`` as tests call it."""

from pathlib import Path

from calibration.main import main


def calibrate(recipe: Path, images: Path, *more: object, yes: bool = True) -> int:
    """Calibrate by a folder's images with torch on one thread; give the exit status."""
    given = ["--images", images, "--threads", 1, "--backend", "torch", *more]
    return main(["run", str(recipe), *map(str, given), *(["--yes"] if yes else [])])
