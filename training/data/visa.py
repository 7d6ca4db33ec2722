"""The layout of VisA, a category at a time.

::

    split_csv/1cls.csv                     # object, split, label, image, mask
    <object>/image_anno.csv                # image, label, mask: which defects an image shows
    <object>/Data/Images/Normal/0000.JPG
    <object>/Data/Images/Anomaly/000.JPG
    <object>/Data/Masks/Anomaly/000.png    # numbers of classes, 0 where nothing is wrong

Paths in the tables start at VisA's folder. A category is named by its own, ``VisA/<object>``; the
split is that of ``1cls.csv``, one class at a time. Zou et al., ECCV 2022.
"""

from pathlib import Path

from models.errors import InputError
from training.data.parts import read_table
from training.data.samples import DataSet, Sample

_SPLIT = Path("split_csv", "1cls.csv")
_LABELS = ("normal", "anomaly")


def is_visa(folder: Path) -> bool:
    """Whether a folder is laid out as a category of VisA."""
    return (folder / "Data" / "Images").is_dir()


def visa_categories(folder: Path) -> list[str]:
    """List the categories in VisA's own folder; none if it is another."""
    if not (folder / _SPLIT).is_file():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and is_visa(p))


def read_visa(folder: Path) -> DataSet:
    """Read a category; raises ``InputError`` if a table is not as it must be, or names no file."""
    folder = folder.resolve()  # its own name and its parent's table count, also for "."
    root = folder.parent
    table = root / _SPLIT
    defects = _defects(folder / "image_anno.csv")
    sides: dict[str, list[Sample]] = {"train": [], "test": []}
    for line, row in read_table(table, ("object", "split", "label", "image", "mask")):
        if row["object"] != folder.name:
            continue
        for key, allowed in (("split", tuple(sides)), ("label", _LABELS)):
            if row[key] not in allowed:
                raise InputError(
                    f"{table}, line {line}: {key} = {row[key]!r}: must be {' or '.join(allowed)}"
                )
        for key in ("image", "mask"):
            if row[key] and not (root / row[key]).is_file():
                raise InputError(f"{table}, line {line}: {root / row[key]}: no such file")
        normal = row["label"] == "normal"
        sides[row["split"]].append(
            Sample(
                path=root / row["image"],
                defect=None if normal else defects.get(row["image"], row["label"]),
                masks=() if normal or not row["mask"] else (root / row["mask"],),
            )
        )
    if not any(sides.values()):
        raise InputError(f"{table}: no row of object {folder.name!r}; was the folder renamed?")
    return DataSet(
        name=folder.name,
        root=folder,
        layout="visa",
        train=tuple(sides["train"]),
        test=tuple(sides["test"]),
    )


def _defects(table: Path) -> dict[str, str]:
    """Give each image's kinds of defect, as VisA writes them: joined by commas."""
    if not table.is_file():
        return {}
    return {row["image"]: row["label"] for _, row in read_table(table, ("image", "label"))}
