"""Images of good parts, split by part and shuffled by seed."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import InputError
from models.images import read_rgb
from training.data.read import read_data
from training.data.samples import DataSet, Sample


def digest(path: Path) -> str:
    """Name an image by its content: 16 hex digits of SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class GoodParts:
    """Images of good parts, split into those trained on and those held out."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]
    height: int  # pixels; of most images, where sizes differ
    width: int

    @classmethod
    def split(
        cls, source: Path | DataSet, hold_out: float, seed: int, *, one_size: bool = True
    ) -> "GoodParts":
        """Split a folder of good images, or what a data set trains on, by part.

        All views of a part go to one side, and at least a share ``hold_out`` of the images is
        held out. A data set's own validation images are held out instead, where it has some.
        Sizes may differ without ``one_size``, which only the scale ``whole`` can take. Raises
        ``InputError`` if there are too few parts, or sizes differ.
        """
        if not 0 <= hold_out < 1:
            raise InputError(f"hold-out = {hold_out}: must be 0 or more and below 1")
        data = read_data(source) if isinstance(source, Path) else source
        if data.validation:
            train, held = list(data.train), list(data.validation)
        else:
            train, held = _by_part(data.train, hold_out, seed)
        if len(train) < 2 or not held:
            raise InputError(_too_few(data))
        height, width = _size([s.path for s in (*data.train, *data.validation)], one_size)
        return cls(
            train=tuple(s.path for s in train),
            held_out=tuple(s.path for s in held),
            height=height,
            width=width,
        )


def _by_part(
    samples: Sequence[Sample], hold_out: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Give the samples to train on and those to hold out, each in the order they came in."""
    parts = Counter(s.part_key for s in samples)
    wanted = max(1, round(len(samples) * hold_out))
    held: set[str] = set()
    keys = list(parts)
    for place in np.random.default_rng(seed).permutation(len(keys)):
        if wanted <= 0:
            break
        held.add(keys[place])
        wanted -= parts[keys[place]]
    return (
        [s for s in samples if s.part_key not in held],
        [s for s in samples if s.part_key in held],
    )


def _too_few(data: DataSet) -> str:
    if not data.train:
        return f"{data.root}: no images to train on; name a data set with train/good"
    images, parts = len(data.train), len({s.part_key for s in data.train})
    views = "" if images == parts else f", of {parts} parts,"
    return (
        f"{data.root}: {images} images{views} are too few to train on and hold some out;"
        " give at least 4"
    )


def _size(paths: list[Path], one_size: bool) -> tuple[int, int]:
    """Give the images' height and width, or those of most if they may differ."""
    shapes: list[tuple[int, int]] = []
    for path in paths:
        height, width = read_rgb(path).shape[:2]
        shapes.append((height, width))
        if one_size and shapes[-1] != shapes[0]:
            raise InputError(
                f"{path}: {width} x {height} pixels, but {paths[0].name} has"
                f" {shapes[0][1]} x {shapes[0][0]}; all images of a camera must have one size"
            )
    return Counter(shapes).most_common(1)[0][0]


def endless(count: int, seed: int, start: int = 0) -> Iterator[int]:
    """Yield indices below ``count`` for ever, each once an epoch, from the ``start``-th on.

    The order depends on the seed alone, so that a resumed run goes on as it would have.
    """
    epoch, offset = divmod(start, count)
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(count)
        yield from order[offset:].tolist()
        epoch, offset = epoch + 1, 0
