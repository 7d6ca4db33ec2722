"""The layouts of MVTec AD and of MVTec LOCO AD, a category a folder.

::

    train/good/000.png
    validation/good/000.png                          # LOCO
    test/good/000.png
    test/<defect>/000.png
    ground_truth/<defect>/000_mask.png               # AD; 000.png too, as in copies of VisA
    ground_truth/<defect>/000/000.png, 001.png, ...  # LOCO: one a defect, to be joined

Masks may be missing. A ``parts.csv`` tells parts and views (``training.data.parts``).
Bergmann et al., CVPR 2019; Bergmann et al., IJCV 2022.
"""

from pathlib import Path

from models.errors import InputError
from models.images import SUFFIXES
from training.data.masks import MASK_SUFFIXES
from training.data.parts import read_parts, with_parts
from training.data.samples import DataSet, Sample

GOOD = "good"
_LOCO_DEFECTS = ("logical_anomalies", "structural_anomalies")


def is_mvtec(folder: Path) -> bool:
    """Whether a folder is laid out as a category of MVTec AD or LOCO."""
    return (folder / "train" / GOOD).is_dir() or (folder / "test").is_dir()


def is_loco(folder: Path) -> bool:
    """Whether a folder is laid out as a category of MVTec LOCO."""
    return is_mvtec(folder) and (
        (folder / "validation" / GOOD).is_dir()
        or any((folder / "test" / defect).is_dir() for defect in _LOCO_DEFECTS)
    )


def read_mvtec(folder: Path) -> DataSet:
    """Read a category; raises ``InputError`` if it holds no images, or a mask without its own."""
    parts = read_parts(folder)
    test = [
        sample
        for kind in _folders(folder / "test")
        for sample in _samples(kind, folder / "ground_truth" / kind.name)
    ]
    found = DataSet(
        name=folder.resolve().name,
        root=folder,
        layout="mvtec-loco" if is_loco(folder) else "mvtec",
        train=with_parts(_samples(folder / "train" / GOOD), parts),
        test=with_parts(test, parts),
        validation=with_parts(_samples(folder / "validation" / GOOD), parts),
    )
    if not (found.train or found.test or found.validation):
        raise InputError(f"{folder}: no images in train/good, test/good or test/<defect>")
    return found


def _samples(images: Path, truth: Path | None = None) -> list[Sample]:
    """List a folder's images; those of ``good`` are, those of another have its name's defect."""
    if not images.is_dir():
        return []
    paths = sorted(p for p in images.iterdir() if p.suffix.lower() in SUFFIXES and _shown(p))
    if truth is None or images.name == GOOD:
        return [Sample(path) for path in paths]
    masks = _masks(truth)
    if truth.is_dir() and (strays := set(masks) - {p.stem for p in paths}):
        raise InputError(
            f"{masks[min(strays)][0]}: a mask without its image in {images};"
            " was an image renamed or lost?"
        )
    return [Sample(path, images.name, masks.get(path.stem, ())) for path in paths]


def _masks(truth: Path) -> dict[str, tuple[Path, ...]]:
    """Give the masks in a folder by the stem of their image."""
    found: dict[str, tuple[Path, ...]] = {}
    for path in sorted(truth.iterdir()) if truth.is_dir() else ():
        if path.is_dir():
            if inside := sorted(p for p in path.iterdir() if p.suffix.lower() in MASK_SUFFIXES):
                found[path.name] = tuple(inside)
        elif path.suffix.lower() in MASK_SUFFIXES and _shown(path):
            found[path.stem.removesuffix("_mask")] = (path,)
    return found


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and _shown(p))


def _shown(path: Path) -> bool:
    return not path.name.startswith(".")
