"""Good frames to calibrate on."""

from dataclasses import dataclass
from pathlib import Path

from models.bundle import Manifest
from models.errors import InputError
from models.images import find_images
from training.data.good import digest


@dataclass(frozen=True)
class GoodFrames:
    paths: tuple[Path, ...]
    left_out: int  # images of the folder that the bundle was trained on


def held_out(folder: Path, manifest: Manifest) -> GoodFrames:
    """List a folder's images without those that the bundle was trained on.

    A student has seen those: their scores are too low to set a threshold by. Told by content, so
    that renaming hides nothing. Raises ``InputError`` if too few are left.
    """
    trained_on = set(manifest.trained_on)
    paths = find_images(folder)
    fresh = tuple(p for p in paths if digest(p) not in trained_on)
    if len(fresh) < 2:
        raise InputError(
            f"{folder}: {len(fresh)} of {len(paths)} images were not trained on;"
            " show good parts that the bundle has never seen, at least 2, better 50"
        )
    return GoodFrames(fresh, len(paths) - len(fresh))
