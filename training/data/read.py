"""A data set from its folder, whatever its layout."""

from collections.abc import Callable
from pathlib import Path

from models.errors import InputError
from models.images import SUFFIXES
from training.data.flat import is_flat, read_flat
from training.data.mvtec import is_mvtec, read_mvtec
from training.data.real_iad import is_real_iad, read_real_iad, real_iad_categories
from training.data.samples import DataSet
from training.data.visa import is_visa, read_visa, visa_categories

_Looks = Callable[[Path], bool]
_Read = Callable[[Path], DataSet]
#: By name of the layout, in the order in which they are tried: what it looks like, how to read it.
_LAYOUTS: dict[str, tuple[_Looks, _Read]] = {
    "mvtec": (is_mvtec, read_mvtec),
    "visa": (is_visa, read_visa),
    "real-iad": (is_real_iad, read_real_iad),
    "flat": (is_flat, read_flat),
}
LAYOUTS = (*_LAYOUTS, "mvtec-loco")


def read_data(folder: Path, layout: str | None = None) -> DataSet:
    """Read a data set: a folder of good images, or a category of a published set.

    Its layout is found by looking at the folder where it is not given. Raises ``InputError`` if
    it is none of ``LAYOUTS``, its files are not as the layout asks, or a part is on two sides.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name a folder of images")
    if layout is None:
        layout = next((name for name, (looks, _) in _LAYOUTS.items() if looks(folder)), None)
    if layout is None:
        raise InputError(f"{folder}: {_why_none(folder)}")
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r}: must be one of {', '.join(LAYOUTS)}")
    _, read = _LAYOUTS[layout.removesuffix("-loco")]
    found = read(folder)
    _refuse_divided_parts(found)
    return found


def _refuse_divided_parts(data: DataSet) -> None:
    """Raise ``InputError`` if a part is both trained on and kept for calibration or the test."""
    side: dict[str, tuple[str, Path]] = {}
    for name, samples in (
        ("train", data.train),
        ("validation", data.validation),
        ("test", data.test),
    ):
        for sample in samples:
            other, path = side.setdefault(sample.part_key, (name, sample.path))
            if other != name:
                raise InputError(
                    f"{sample.path}: of part {sample.part_key}, as is {path}, so that it is in"
                    f" {other} and in {name}; a part must be on one side with all its views"
                )


def _why_none(folder: Path) -> str:
    """Say what was seen, and what would have been taken."""
    for what, found in (
        ("VisA", visa_categories(folder)),
        ("Real-IAD", [str(c) for c in real_iad_categories(folder)]),
    ):
        if found:
            return f"{what} holds {len(found)} categories; name one, such as {folder / found[0]}"
    inside = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    categories = [
        p for p in inside if p.is_dir() and any(looks(p) for looks, _ in _LAYOUTS.values())
    ]
    if categories:
        return f"no data set, but {len(categories)} within it; name one, such as {categories[0]}"
    seen = ", ".join(p.name for p in inside[:6]) + (", ..." if len(inside) > 6 else "")
    return (
        f"no images here; allowed are {' '.join(SUFFIXES)}, directly in the folder or laid out as"
        " MVTec AD and LOCO (train/good, test/<defect>), VisA (Data/Images) or Real-IAD (OK, NG);"
        f" it holds {seen or 'nothing'}"
    )
