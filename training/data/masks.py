"""The pixels of a defect, from the images that mark them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from training.data.samples import Sample

#: What a mask may be stored as: a lossy format would mark pixels around it too.
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")


def read_mask(sample: Sample, height: int, width: int) -> NDArray[np.bool_] | None:
    """Give the defect's pixels, (height, width), its masks joined; None where they are unknown.

    Nothing is marked on a good part. Any value but 0 marks a pixel: MVTec writes 255, VisA and
    MVTec LOCO the number of a class. Raises ``InputError`` if a mask cannot be read, or is not of
    the image's size.
    """
    if sample.good:
        return np.zeros((height, width), np.bool_)
    if not sample.masks:
        return None
    joined = np.zeros((height, width), np.bool_)
    for path in sample.masks:
        marked = _marked(path)
        if marked.shape != joined.shape:
            raise InputError(
                f"{path}: {marked.shape[1]} x {marked.shape[0]} pixels, but its image"
                f" {sample.path.name} has {width} x {height}; a mask has the size of its image"
            )
        joined |= marked
    return joined


def _marked(path: Path) -> NDArray[np.bool_]:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    # As it is: a conversion to 8 bit grey would round small class numbers to 0.
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(f"{path}: not a readable mask; remove it or save it again")
    if image.ndim == 2:
        return np.asarray(image != 0)
    colours = image[..., : 1 if image.shape[2] == 2 else 3]  # without alpha
    return np.asarray((colours != 0).any(axis=2))
