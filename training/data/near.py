"""Images that show the same on both sides of a split: a test that was trained for."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: A twin is nearer than this share of the usual way from an image to its nearest in training.
NEAR = 0.1
_SOUGHT = 500  # images of the training set whose nearest is sought
_ROWS = 1024  # compared at a time


class Twin(NamedTuple):
    """An image of the test, and the one of the training set that it comes near to."""

    test: int  # index
    train: int
    distance: float  # 1 - correlation


def near_twins(train: NDArray[np.float32], test: NDArray[np.float32], seed: int = 0) -> list[Twin]:
    """Find the test images that nearly equal one trained on, by their thumbnails.

    Both are (images, pixels) with rows of mean 0 and length 1; distance is 1 - correlation. Parts
    that a fixture holds in place all look alike, so no fixed distance tells twins from brothers:
    a twin is nearer than ``NEAR`` of what a training image usually is to its nearest. Found are,
    on metal nuts and drawn parts, all copies saved anew as JPEG, brighter by 15 %, enlarged from
    60 %, noisier by 5 levels, and 94 % of those shifted by a pixel; on magnetic tiles, of which
    the set has several images each, 73 to 98 % and few shifted ones. The nearest true brothers are
    3.5, 5 and 14 times as far as this reaches. A set whose images differ by noise alone gives none.
    """
    if not len(test):
        return []
    usual = _usual_distance(train, seed)
    if usual is None:
        return []
    twins = []
    for start in range(0, len(test), _ROWS):
        rows = test[start : start + _ROWS]
        correlation = rows @ train.T
        nearest = correlation.argmax(axis=1)
        for row, place in enumerate(nearest):
            distance = 1 - float(correlation[row, place])
            if distance < NEAR * usual and rows[row].any():
                twins.append(Twin(start + row, int(place), max(0.0, distance)))
    return twins


def _usual_distance(train: NDArray[np.float32], seed: int) -> float | None:
    """Give the median distance of a training image to its nearest; None of less than three."""
    if len(train) < 3:
        return None
    places = np.random.default_rng(seed).permutation(len(train))[:_SOUGHT]
    correlation = train[places] @ train.T
    correlation[np.arange(len(places)), places] = -1  # not with itself
    return 1 - float(np.median(correlation.max(axis=1)))
