"""The layout of Real-IAD: 30 categories, five views of each part.

::

    realiad_1024/<category>/OK/S0001/<category>_0001_OK_C1_<time>.jpg       # also 512, 256, raw
    realiad_1024/<category>/NG/<defect>/S0001/<category>_0001_NG_<defect>_C1_<time>.jpg, .png
    realiad_jsons/realiad_jsons/<category>.json                             # UIAD
    realiad_jsons/realiad_jsons_fuiad_0.1/<category>.json                   # FUIAD, 10 % noise

A split is JSON: ``meta`` with ``prefix`` and ``normal_class``, and for ``train`` and ``test`` a
list of ``category``, ``anomaly_class``, ``image_path``, ``mask_path`` (or null). UIAD trains on
good images alone, FUIAD on a set with so large a share of defective ones. Wang et al., CVPR 2024.

Taken for granted, as the data cannot be had without a request: folders of splits may also lie
beside those of images; image paths start at the category's folder, or with ``prefix``; the folder
of an image (``S0001``, numbered anew in ``OK`` and in each defect) is its part.

A view in which a defect cannot be seen counts as good, and the published splits train on such
views of parts whose other views are tested with. Here a part with a view in ``test`` is tested
with as a whole, so that no part stands on both sides.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ValidationError

from models.errors import InputError
from models.records import first_fault
from training.data.samples import DataSet, Sample

Setting = Literal["uiad", "fuiad"]
_RESOLUTIONS = ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw", ".")
_PLACE = re.compile(r"(?:OK|NG/(?P<defect>[^/]+))/(?P<sample>[^/]+)/[^/]*_C(?P<view>\d+)[_.][^/]*")


class _Meta(BaseModel):
    prefix: str = ""
    normal_class: str = "OK"


class _Image(BaseModel):
    anomaly_class: str
    image_path: str
    mask_path: str | None = None


class _Split(BaseModel):
    meta: _Meta
    train: list[_Image]
    test: list[_Image]


@dataclass(frozen=True)
class Split:
    """A category under a setting."""

    data: DataSet
    source: Path  # the JSON that says so
    moved: int  # images to train on, by that JSON, of parts that it tests with too


def is_real_iad(folder: Path) -> bool:
    """Whether a folder is laid out as a category of Real-IAD."""
    return (folder / "OK").is_dir()


def real_iad_categories(root: Path, resolution: str | None = None) -> list[Path]:
    """List the categories' folders, from Real-IAD's own: the largest images there are.

    Or those of a resolution: "1024", "512", "256" or "raw".
    """
    for name in (f"realiad_{resolution}",) if resolution else _RESOLUTIONS:
        images = root / name
        if images.is_dir() and (found := sorted(p for p in images.iterdir() if is_real_iad(p))):
            return [p.relative_to(root) for p in found]
    return []


def read_real_iad(folder: Path) -> DataSet:
    """Read a category under UIAD; raises ``InputError`` as ``read_split`` does."""
    return read_split(folder).data


def read_split(folder: Path, setting: Setting = "uiad", noise: float = 0.1) -> Split:
    """Read a category, named by the folder of its images.

    Raises ``InputError`` if there is no JSON for the setting, or it is not as it must be, or
    names a file that is not there.
    """
    folder = folder.resolve()
    source = _find_split(folder, setting, noise)
    split = _parse(source)
    base = _base(folder, split)
    sides = {
        side: [_sample(source, base, image, split.meta.normal_class) for image in images]
        for side, images in (("train", split.train), ("test", split.test))
    }
    if lost := [p for s in (*sides["train"], *sides["test"]) for p in _files(s) if not p.is_file()]:
        raise InputError(
            f"{source}: names {len(lost)} files that are not there, such as {lost[0]};"
            " unpack the data again, or take them out"
        )
    tested = {s.part for s in sides["test"]}
    moved = [s for s in sides["train"] if s.part in tested]
    data = DataSet(
        name=folder.name,
        root=folder,
        layout="real-iad",
        train=tuple(s for s in sides["train"] if s.part not in tested),
        test=(*sides["test"], *moved),
    )
    return Split(data, source, len(moved))


def _find_split(folder: Path, setting: Setting, noise: float) -> Path:
    name = "realiad_jsons" if setting == "uiad" else f"realiad_jsons_fuiad_{float(noise)}"
    tried = [
        root / within / f"{folder.name}.json"
        for root in (folder.parent, folder.parent.parent)
        for within in (Path("realiad_jsons", name), Path(name))
    ]
    for path in tried:
        if path.is_file():
            return path
    raise InputError(
        f"{folder}: no split for {setting}; unpack {name}/{folder.name}.json beside the images"
    )


def _parse(path: Path) -> _Split:
    try:
        return _Split.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(f"{path}: {first_fault(error)}") from error
    except ValueError as error:
        raise InputError(f"{path}: no JSON ({error})") from error


def _base(folder: Path, split: _Split) -> Path:
    """Find where the split's paths start, by its first image."""
    first = next(iter((*split.train, *split.test)), None)
    prefix = split.meta.prefix
    if first is None or (folder / first.image_path).is_file():
        return folder
    for base in (folder.parent / prefix, folder.parent.parent / prefix):
        if (base / first.image_path).is_file():
            return base
    return folder


def _sample(source: Path, base: Path, image: _Image, normal: str) -> Sample:
    path = PurePosixPath(image.image_path)
    place = _PLACE.fullmatch("/".join(path.parts[-4 if "NG" in path.parts else -3 :]))
    if place is None or ".." in path.parts:
        raise InputError(
            f"{source}: {image.image_path}: must be OK/<sample>/<name>_C<view>_<time>.jpg, or so"
            " in NG/<defect>, to tell its part and view"
        )
    defect = image.anomaly_class if image.anomaly_class != normal else None
    part = "_".join(filter(None, (place["defect"], place["sample"])))
    masks = (base / image.mask_path,) if defect and image.mask_path else ()
    return Sample(base / path, defect, masks, part, f"C{place['view']}")


def _files(sample: Sample) -> Iterator[Path]:
    yield sample.path
    yield from sample.masks
