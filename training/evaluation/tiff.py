"""Anomaly maps as 32-bit TIFF, laid out as MVTec's evaluation code reads them."""

from importlib.util import find_spec
from pathlib import Path

from models.errors import InputError
from training.evaluation.looked import Looked


def need_tifffile() -> None:
    """Raise ``InputError`` where tifffile is not installed."""
    if find_spec("tifffile") is None:
        raise InputError("--maps needs tifffile, which is not installed: install effad[evaluate]")


def write_maps(looked: Looked, folder: Path) -> None:
    """Write each test image's fused map to <defect>/<stem>.tiff, float32 of the image's size.

    Pixels that are not inspected are -inf. Images of one type and name, from two folders, also
    have their folder's name.
    """
    from tifffile import imwrite

    names = [(sample.defect or "good", sample.path.stem) for sample in looked.samples]
    for image, (sample, (kind, stem)) in enumerate(zip(looked.samples, names, strict=True)):
        if names.count((kind, stem)) > 1:
            stem = f"{sample.path.parent.name}-{stem}"
        path = folder / kind / f"{stem}.tiff"
        path.parent.mkdir(parents=True, exist_ok=True)
        imwrite(path, looked.pixels(image, looked.normal.alpha))
