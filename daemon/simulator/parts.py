"""The parts that the simulated camera shows: nuts, good or with one defect, drawn from a seed.

`python -m daemon.simulator.parts DIR` writes a data set of them in MVTec's layout.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.simulator.defects import Defect, spoil
from daemon.simulator.drawing import exposure, scene

__all__ = ["Defect", "Part", "draw", "main", "sequence"]

SIZES = range(96, 2049)
MASK_LEVELS = 5  # a pixel changed by more than this, of 255 and before the noise, is the defect's
_STREAMS = {defect: 10 + 2 * place for place, defect in enumerate(Defect)}


@dataclass(frozen=True)
class Part:
    """One image of a part, and what is wrong with it."""

    image: NDArray[np.uint8]  # (size, size, 3) RGB
    mask: NDArray[np.uint8]  # (size, size): 255 where the defect is, 0 elsewhere
    defect: Defect | None  # None for a good part


def draw(seed: int, defect: Defect | None = None, *, size: int = 512) -> Part:
    """The part of a seed, 0 or more: with a defect it is the good part of that seed, spoilt."""
    if size not in SIZES:
        raise ValueError(f"size {size}: must be {SIZES.start} to {SIZES.stop - 1} pixels")
    pose, texture, sensor = (np.random.default_rng((seed, stream)) for stream in range(3))
    good = scene(pose, texture, size)
    camera = exposure(pose, sensor, size)
    levels = camera.expose(good.rgb)
    mask = np.zeros((size, size), dtype=np.uint8)
    if defect is not None:
        rng, grain = (np.random.default_rng((seed, _STREAMS[defect] + i)) for i in range(2))
        rgb, share = spoil(good, defect, rng, grain)
        spoilt = camera.expose(rgb)
        changed = np.abs(spoilt - levels).max(axis=0) > MASK_LEVELS
        # Inside its shape a defect may chance upon the good part's grey; it is there all the same.
        mask[changed | (share > 0.5)] = 255
        levels = spoilt
    return Part(camera.develop(levels), mask, defect)


def sequence(seed: int, count: int, *, defect_rate: float = 0.2, size: int = 512) -> Iterator[Part]:
    """`count` parts as a line would bring them, each with a defect at `defect_rate`, 0 to 1."""
    for place in range(count):
        rng = np.random.default_rng((seed, place, 3))
        spoilt = rng.random() < defect_rate
        defect = list(Defect)[int(rng.integers(len(Defect)))] if spoilt else None
        yield draw(_seed(seed, place, 4), defect, size=size)


def _seed(*words: int) -> int:
    """A seed of 64 bits, so that neighbouring seeds of a set or a sequence share no part."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class _Folder:
    name: str
    defect: Defect | None
    count: int


def write(root: Path, folders: Sequence[_Folder], seed: int, size: int) -> Iterator[int]:
    """Writes a data set below `root`, giving the number of parts written after each."""
    done = 0
    for stream, folder in enumerate(folders, start=5):
        images = root / folder.name
        images.mkdir(parents=True)
        masks = root / "ground_truth" / images.name
        if folder.defect is not None:
            masks.mkdir(parents=True)
        for place in range(folder.count):
            part = draw(_seed(seed, place, stream), folder.defect, size=size)
            _save(images / f"{place:03}.png", part.image[..., ::-1])
            if part.defect is not None:
                _save(masks / f"{place:03}_mask.png", part.mask)
            done += 1
            yield done


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    # cv2.imwrite would tell a full disk by its return value alone.
    _, png = cv2.imencode(".png", image)
    path.write_bytes(png.tobytes())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes a data set of parts; bad input ends in one line and status 2."""
    parser = _Parser(prog="daemon.simulator.parts", description="Draw a data set of nuts.")
    parser.add_argument("dir", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--good", type=_whole, default=240, help="good parts to train on")
    parser.add_argument("--test-good", type=_whole, default=40, help="good parts to test on")
    parser.add_argument("--each-defect", type=_whole, default=10, help="parts of each defect")
    parser.add_argument("--seed", type=_whole, default=1)
    parser.add_argument("--size", type=_whole, default=512, help="pixels, 96 to 2048")
    given = parser.parse_args(argv)
    if given.size not in SIZES:
        parser.error(f"--size {given.size}: must be {SIZES.start} to {SIZES.stop - 1} pixels")
    folders = [
        _Folder("train/good", None, given.good),
        _Folder("test/good", None, given.test_good),
        *(_Folder(f"test/{defect}", defect, given.each_defect) for defect in Defect),
    ]
    total = sum(folder.count for folder in folders)
    try:
        if given.dir.exists() and any(given.dir.iterdir()):
            parser.error(f"{given.dir}: is not empty; give a new folder")
        for done in write(given.dir, folders, given.seed, given.size):
            if sys.stderr.isatty():
                sys.stderr.write(f"{done} of {total} parts\r")
    except OSError as error:
        parser.error(f"{given.dir}: {error.strerror}")
    sys.stderr.write(f"{total} parts written to {given.dir}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
