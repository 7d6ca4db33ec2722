"""Frames from image files: a folder, its sub-folders, or a category of a published data set."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from calibration.shown import Shown
from models.errors import InputError
from models.images import SUFFIXES, find_images, read_rgb
from models.pixel_format import PixelFormat
from training.data.flat import is_flat, read_flat
from training.data.good import digest
from training.data.mvtec import is_mvtec
from training.data.read import read_data
from training.data.real_iad import is_real_iad
from training.data.samples import Sample
from training.data.visa import is_visa


@dataclass(frozen=True)
class FolderSource:
    """Image files, each read when its turn comes: a FrameSource."""

    images: tuple[tuple[Path, str], ...]  # with the part that each is of
    left_out: int = 0  # images of the folder that the bundle was trained on

    @property
    def total(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Shown]:
        for path, part in self.images:
            yield Shown.of(path.name, part, read_rgb(path), PixelFormat.RGB8, path)

    @classmethod
    def held_out(
        cls, folder: Path, trained_on: Collection[str], most: int | None = None
    ) -> "FolderSource":
        """Take a folder's good images but for those that the bundle was trained on.

        A student has seen those: their scores are too low to set a threshold by. Told by content,
        so that renaming hides nothing. An image directly in the folder is a part of its own, those
        of a sub-folder are frames of one part; of a data set it is what is trained on or kept for
        calibration. Of many the first ``most``. Raises ``InputError`` if fewer than 2 are left.
        """
        found = _good(folder)
        fresh = [(s.path, s.part_key) for s in found if digest(s.path) not in set(trained_on)]
        if len(fresh) < 2:
            raise InputError(
                f"{folder}: {len(fresh)} of {len(found)} images were not trained on;"
                " show good parts that the bundle has never seen, at least 2, better 50"
            )
        return cls(tuple(fresh[:most]), len(found) - len(fresh))

    @classmethod
    def defects(cls, folder: Path) -> "FolderSource":
        """Take a folder's images as defective parts, of a data set those of its test that are."""
        if _is_data_set(folder):
            samples = [s for s in read_data(folder).test if not s.good]
            if not samples:
                raise InputError(f"{folder}: no defects among its test images; show some")
        else:
            samples = _listed(folder)
        return cls(tuple((s.path, s.part_key) for s in samples))


def _good(folder: Path) -> list[Sample]:
    if not _is_data_set(folder):
        return _listed(folder)
    data = read_data(folder)
    return [s for s in (*data.train, *data.validation) if s.good]


def _is_data_set(folder: Path) -> bool:
    return folder.is_dir() and (is_mvtec(folder) or is_visa(folder) or is_real_iad(folder))


def _listed(folder: Path) -> list[Sample]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name a folder of images")
    found = list(read_flat(folder).train) if is_flat(folder) else []
    for inner in sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."):
        if any(p.suffix.lower() in SUFFIXES for p in inner.iterdir()):
            found += [Sample(path, part=str(inner)) for path in find_images(inner)]
    if not found:
        find_images(folder)  # says what is allowed
    return found
