"""Tiny replicas of the layouts that effad reads: drawn parts, a few of each kind."""

import csv
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.simulator.parts import Defect, Part, draw

SIZE = 96  # pixels, a side
VIEWS = ("C1", "C2", "C3", "C4", "C5")


@lru_cache
def part(seed: int, defect: Defect | None = None, size: int = SIZE) -> Part:
    """Draw a part; it is not to be changed."""
    return draw(seed, defect, size=size)


def write(path: Path, image: NDArray[np.unsignedinteger]) -> Path:
    """Write RGB or grey in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = image[..., ::-1] if image.ndim == 3 else image
    path.write_bytes(cv2.imencode(path.suffix, bgr)[1].tobytes())
    return path


def mvtec(root: Path, train: int = 4, size: int = SIZE) -> Path:
    """MVTec AD: good parts, two with a scratch and one, without a mask, that lacks something."""
    for seed in range(train):
        write(root / "train" / "good" / f"{seed:03}.png", part(seed, None, size).image)
    for seed in range(2):
        write(root / "test" / "good" / f"{seed:03}.png", part(50 + seed, None, size).image)
        scratched = part(60 + seed, Defect.SCRATCH, size)
        write(root / "test" / "scratch" / f"{seed:03}.png", scratched.image)
        write(root / "ground_truth" / "scratch" / f"{seed:03}_mask.png", scratched.mask)
    write(root / "test" / "missing" / "000.png", part(70, Defect.MISSING, size).image)
    return root


def loco(root: Path) -> Path:
    """MVTec LOCO: with a validation set, and the scratch's mask in two halves of other values."""
    for place, folder in enumerate(("train/good", "validation/good", "test/good")):
        for seed in range(3):
            write(root / folder / f"{seed:03}.png", part(10 * place + seed).image)
    spoilt = part(60, Defect.SCRATCH)
    write(root / "test" / "structural_anomalies" / "000.png", spoilt.image)
    middle = int(np.median(np.nonzero(spoilt.mask)[0]))
    for place, half in enumerate((slice(None, middle), slice(middle, None))):
        mask = np.zeros_like(spoilt.mask)
        mask[half] = (spoilt.mask[half] > 0) * (200 + place)
        write(root / "ground_truth" / "structural_anomalies" / "000" / f"{place:03}.png", mask)
    write(root / "test" / "logical_anomalies" / "000.png", part(70, Defect.MISSING).image)
    return root


def visa(root: Path, name: str = "candle") -> Path:
    """VisA, two categories: masks hold numbers of classes. Gives the folder of the first."""
    rows = []
    for category in (name, "pcb1"):
        images = f"{category}/Data/Images"
        for seed in range(5):
            path = f"{images}/Normal/{seed:04}.JPG"
            write(root / path, part(seed).image)
            rows.append((category, "test" if seed > 2 else "train", "normal", path, ""))
        spoilt = part(60, Defect.SCRATCH)
        write(root / images / "Anomaly" / "000.JPG", spoilt.image)
        mask = f"{category}/Data/Masks/Anomaly/000.png"
        write(root / mask, np.where(spoilt.mask > 0, 3, 0).astype(np.uint8))
        rows.append((category, "test", "anomaly", f"{images}/Anomaly/000.JPG", mask))
        _table(
            root / category / "image_anno.csv",
            ("image", "label", "mask"),
            [(rows[-1][3], "long scratch,dirt", mask), (rows[0][3], "normal", "")],
        )
    _table(root / "split_csv" / "1cls.csv", ("object", "split", "label", "image", "mask"), rows)
    return root / name


def _table(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def real_iad(root: Path, category: str = "plastic_nut") -> Path:
    """Real-IAD: parts of five views, and splits for UIAD and for FUIAD with 10 % noise.

    Of each defective part the views C4 and C5 show nothing of it, and UIAD trains with C5 of the
    first: as published. FUIAD trains with the second part, defect and all.
    """
    good = {f"S{n:04}": [_ok(root, category, n, view) for view in VIEWS] for n in range(1, 7)}
    bad = {n: [_ng(root, category, n, view) for view in VIEWS] for n in (1, 2, 3)}
    train = [image for part in list(good.values())[:4] for image in part]
    test = [image for part in list(good.values())[4:] for image in part]
    uiad = {"train": [*train, bad[1][4]], "test": [*test, *bad[1][:4], *bad[2], *bad[3]]}
    fuiad = {"train": [*train, *bad[2]], "test": [*test, *bad[1], *bad[3]]}
    for name, sides in (("realiad_jsons", uiad), ("realiad_jsons_fuiad_0.1", fuiad)):
        write_split(root / "realiad_jsons" / name / f"{category}.json", category, sides)
    return root / "realiad_256" / category


def write_split(path: Path, category: str, sides: dict[str, list[dict[str, str | None]]]) -> None:
    meta = {"prefix": f"{category}/", "normal_class": "OK", "pre_transform": ""}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"meta": meta, **sides}))


def _entry(category: str, kind: str, image: str, mask: str | None = None) -> dict[str, str | None]:
    return {
        "category": category,
        "anomaly_class": kind,
        "image_path": image,
        "mask_path": mask,
    }


def _ok(root: Path, category: str, number: int, view: str) -> dict[str, str | None]:
    name = f"OK/S{number:04}/{category}_{number:04}_OK_{view}_20230922140928.jpg"
    write(root / "realiad_256" / category / name, part(_seed(number, view)).image)
    return _entry(category, "OK", name)


def _ng(root: Path, category: str, number: int, view: str) -> dict[str, str | None]:
    stem = f"NG/HS/S{number:04}/{category}__{number:04}_NG_HS_{view}_20230922141005"
    seen = view not in ("C4", "C5")
    spoilt = part(_seed(20 + number, view), Defect.SCRATCH if seen else None)
    write(root / "realiad_256" / category / f"{stem}.jpg", spoilt.image)
    if not seen:
        return _entry(category, "OK", f"{stem}.jpg")
    write(root / "realiad_256" / category / f"{stem}.png", spoilt.mask)
    return _entry(category, "HS", f"{stem}.jpg", f"{stem}.png")


def _seed(number: int, view: str) -> int:
    return 100 * number + VIEWS.index(view)
