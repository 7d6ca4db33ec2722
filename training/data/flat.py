"""A flat folder of images of good parts.

A ``parts.csv`` in it tells parts and views (``training.data.parts``); of the folder ``train/good``
of a data set, the data set's does.
"""

from pathlib import Path

from models.images import SUFFIXES, find_images
from training.data.parts import NAME, read_parts, with_parts
from training.data.samples import DataSet, Sample


def is_flat(folder: Path) -> bool:
    """Whether images lie directly in a folder."""
    return any(p.suffix.lower() in SUFFIXES for p in folder.iterdir())


def read_flat(folder: Path) -> DataSet:
    """Take all images of a folder as good; raises ``InputError`` if there are none."""
    samples = [Sample(path) for path in find_images(folder)]
    above = folder.parent.parent
    own = (folder / NAME).is_file() or folder.parent.name != "train"
    return DataSet(
        name=folder.resolve().name,
        root=folder,
        layout="flat",
        train=with_parts(samples, read_parts(folder if own else above)),
    )
