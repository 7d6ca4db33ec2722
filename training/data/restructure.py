"""Real-IAD as MVTec's layout, as the thesis restructured it (section 5.2.1, table 5.1).

::

    <category>/train/good/S0001_C1.jpg           # part and view
    <category>/test/good/BX_S0002_C3.jpg         # a view in which the defect BX cannot be seen
    <category>/test/BX/BX_S0002_C1.jpg
    <category>/ground_truth/BX/BX_S0002_C1_mask.png
    <category>/parts.csv                         # part and view of each
    <category>/restructured.json                 # from what

Under FUIAD the defective images of the training set lie in ``train/good``, as nobody would know
them; ``parts.csv`` says what they are.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.errors import InputError
from models.records import Record, sha256, sync
from training.data.mvtec import GOOD
from training.data.parts import Part, write_parts
from training.data.real_iad import Setting, Split, read_split
from training.data.samples import DataSet, Sample

ORIGIN = "restructured.json"


class Origin(Record):
    """What a category was made from; equal for equal content."""

    format: int = 1
    dataset: str = "Real-IAD"
    category: str
    images: str  # folder of the images' resolution
    setting: Setting
    noise: float | None
    linked: bool
    split_sha256: str


@dataclass(frozen=True)
class Restructured:
    """A category in its new place."""

    folder: Path
    data: DataSet  # of the source
    moved: int  # images tested with instead of trained on
    fresh: bool  # written now, and not found


@dataclass(frozen=True)
class _Move:
    source: Path
    place: str  # within the category's folder


def restructure(
    source: Path, target: Path, setting: Setting = "uiad", noise: float = 0.1, link: bool = False
) -> Restructured:
    """Restructure a category, named by the folder of its images, into ``target/<category>``.

    Written beside its place and renamed when it is whole; a stopped run goes on, and one that
    was done is found. Linked images stay where they are, and must. Raises ``InputError`` if the
    source is not as it must be, or the target holds something else.
    """
    split = read_split(source, setting, noise)
    origin = Origin(
        category=split.data.name,
        images=split.data.root.parent.name,
        split_sha256=sha256(split.source),
        setting=setting,
        noise=noise if setting == "fuiad" else None,
        linked=link,
    )
    whole = target / split.data.name
    partial = target / f".{split.data.name}.partial"
    _refuse_other(target, whole, partial, origin)
    fresh = not whole.exists()
    if fresh:
        partial.mkdir(parents=True, exist_ok=True)
        origin.write(partial / ORIGIN)
        _fill(partial, split, link)
        partial.rename(whole)
        sync(target)
    return Restructured(whole, split.data, split.moved, fresh)


def _refuse_other(target: Path, whole: Path, partial: Path, origin: Origin) -> None:
    """Raise ``InputError`` if the target holds what this run did not write, or would not."""
    for path in sorted(target.iterdir()) if target.is_dir() else ():
        begun = path.name.endswith(".partial") and all(p.name[0] == "." for p in path.iterdir())
        if not begun and not (path / ORIGIN).is_file():
            raise InputError(f"{target}: holds {path.name}, which is something else; name another")
    for path in (whole, partial):
        if (path / ORIGIN).is_file() and (found := Origin.read(path / ORIGIN)) != origin:
            other = next(k for k, v in origin if getattr(found, k) != v)
            raise InputError(
                f"{path}: made with {other} = {getattr(found, other)}, not"
                f" {getattr(origin, other)}; name another target, or remove it"
            )


def _fill(folder: Path, split: Split, link: bool) -> None:
    taken: Counter[str] = Counter()
    rows = []
    for side, samples in (("train", split.data.train), ("test", split.data.test)):
        for sample in samples:
            moves = list(_moves(side, sample, taken))
            for move in moves:
                _place(move.source, folder / move.place, link)
            hidden = sample.defect if side == "train" else None
            rows.append((moves[0].place, Part(sample.part, sample.view, hidden)))
    write_parts(folder, rows)
    for path, _, _ in os.walk(folder):
        sync(Path(path))


def _moves(side: str, sample: Sample, taken: Counter[str]) -> Iterator[_Move]:
    """Give the new place of an image, and of its mask if it is tested with."""
    stem = f"{sample.part}_{sample.view}"
    taken[stem] += 1
    if taken[stem] > 1:  # the same view again
        stem += f"_{taken[stem]}"
    kind = sample.defect if side == "test" and sample.defect else GOOD
    yield _Move(sample.path, str(PurePosixPath(side, kind, stem + sample.path.suffix)))
    for mask in sample.masks if kind != GOOD else ():
        name = f"{stem}_mask{mask.suffix}"
        yield _Move(mask, str(PurePosixPath("ground_truth", kind, name)))


def _place(source: Path, place: Path, link: bool) -> None:
    """Copy or link a file as a whole; one that is there already stays."""
    if link and place.resolve() == source.resolve():
        return
    if not link and place.is_file() and place.stat().st_size == source.stat().st_size:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.new")
    partial.unlink(missing_ok=True)
    if link:
        partial.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, partial)
        sync(partial)
    partial.replace(place)
