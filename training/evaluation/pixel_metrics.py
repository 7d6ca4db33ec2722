"""Pixel AUROC and AU-PRO, exact, of any number of images in bounded memory.

Bergmann et al., "The MVTec Anomaly Detection Dataset" (IJCV 2021): at a threshold, the per-region
overlap (PRO) is the share of a ground-truth component that scores at or above it, averaged over
the components of all images; the false positive rate is the share of all pixels without a defect.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluation.runs import SortedRuns, keys, pieces

BLOCK = 1 << 21  # pixels that are ranked at once
IN_MEMORY = 512 << 20  # bytes of scores before they go to disk
_BINS = 1 << 16  # by the upper half of a key
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PixelAreas:
    """Areas under the curves of pixels; None where there is nothing to rank."""

    auroc: float | None
    au_pro: dict[float, float | None]  # by the limit of the false positive rate
    defect_pixels: int
    good_pixels: int
    components: int

    @property
    def reason(self) -> str | None:
        """Say why there are no areas."""
        if not self.components:
            return "no pixel is marked as a defect"
        return None if self.good_pixels else "every pixel is marked as a defect"


class PixelScores:
    """The scores of images' pixels, with what is known of each: defect or not.

    4 bytes a pixel without a defect and 8 one with, in memory up to 512 MiB each and then in
    temporary files, which the end of a ``with`` removes.
    """

    def __init__(self, *, block: int = BLOCK, in_memory: int = IN_MEMORY) -> None:
        self._block = block
        self._good = SortedRuns(np.uint32, in_memory)
        self._bad = SortedRuns(np.uint64, in_memory)  # key above, component below
        self._shares: list[_Floats] = []  # of a component that one pixel is: an array an image

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._good.close()
        self._bad.close()

    def __len__(self) -> int:
        return len(self._good)

    def add(self, values: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """Take an image: its anomaly map and its defects' pixels, both (H, W).

        Raises ``ValueError`` if the shapes differ or a value is NaN.
        """
        if values.shape != mask.shape:
            raise ValueError(f"map {values.shape}, mask {mask.shape}")
        key = keys(np.asarray(values, np.float32))
        self._good.append(np.sort(key[~mask]))
        count, labels = 1, np.zeros(mask.shape, np.int32)
        if mask.any():
            count, labels = cv2.connectedComponents(  # type: ignore[assignment]
                mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
            )
        component = labels[mask] - 1
        sizes = np.bincount(component, minlength=count - 1)
        self._shares.append(1 / sizes)
        packed = key[mask].astype(np.uint64) << np.uint64(32) | component.astype(np.uint64)
        self._bad.append(np.sort(packed))

    def components(self, image: int) -> int:
        return len(self._shares[image])

    def good_keys(self, image: int) -> NDArray[np.uint32]:
        """Give the keys of an image's pixels without a defect, sorted."""
        return self._good[image]

    def defect_keys(self, image: int) -> tuple[NDArray[np.uint32], _Floats]:
        """Give the keys of an image's defect pixels, sorted, and the share that each covers."""
        return self._split(np.asarray(self._bad[image]), image)

    def _split(self, packed: NDArray[np.uint64], image: int) -> tuple[NDArray[np.uint32], _Floats]:
        component = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
        return (packed >> np.uint64(32)).astype(np.uint32), self._shares[image][component]

    def areas(
        self, limits: Sequence[float] = (0.3, 0.05), images: Iterable[int] | None = None
    ) -> PixelAreas:
        """Integrate both curves over all images, or over some of them.

        AU-PRO by the trapezoid rule up to each limit, with PRO interpolated linearly there, and
        divided by it. Equal scores are one point of a curve. Exact but for float64 sums.
        """
        which = list(range(len(self)) if images is None else images)
        good = sum(len(self._good[i]) for i in which)
        bad = sum(len(self._bad[i]) for i in which)
        components = sum(self.components(i) for i in which)
        if not good or not components:
            return PixelAreas(None, dict.fromkeys(limits), bad, good, components)
        edges = self._edges(which)
        good_places = [self._cut(self._good, i, edges, 16) for i in which]
        bad_places = [self._cut(self._bad, i, edges, 48) for i in which]
        ends = np.array([limit * good for limit in limits])
        above, overlap, ranked = 0, np.zeros(len(limits)), 0.0
        for block in range(len(edges) - 1):
            here = (int(edges[block]) << 16, int(edges[block + 1]) << 16)
            if any(place[block + 1] > place[block] for place in bad_places):
                found = self._defects(which, bad_places, block, here)
                negatives = pieces(self._good, which, good_places, block)
                upper, lower = _ranks(negatives, found.keys, here)
                upper, lower = above + upper, above + lower
                ranked += float(found.pixels @ (good - (upper + lower) / 2))
                overlap += [float(found.shares @ _reach(upper, lower, end)) for end in ends]
            above += sum(int(place[block + 1] - place[block]) for place in good_places)
        overlap /= ends * components
        au_pro: dict[float, float | None] = dict(zip(limits, map(float, overlap), strict=True))
        return PixelAreas(ranked / good / bad, au_pro, bad, good, components)

    def _edges(self, which: Sequence[int]) -> _Ints:
        """Part the keys' upper halves into blocks of no more pixels than are ranked at once.

        A block of one upper half may have more: constant maps do. Between two blocks there may be
        one without pixels.
        """
        counts = np.zeros(_BINS, np.int64)
        for i in which:
            counts += np.bincount(self._good[i] >> np.uint32(16), minlength=_BINS)
            counts += np.bincount((self._bad[i] >> np.uint64(48)).astype(np.int64), minlength=_BINS)
        edges: list[int] = []
        start, stop, held = 0, 0, 0
        for bin_ in np.flatnonzero(counts).tolist():
            if held and held + counts[bin_] > self._block:
                edges += [start, stop]
                held = 0
            start, stop = start if held else bin_, bin_ + 1
            held += int(counts[bin_])
        return np.array([*edges, start, stop], np.int64)

    def _cut(self, runs: SortedRuns, image: int, edges: _Ints, shift: int) -> _Ints:
        # The last edge is beyond every key, and may not fit into one.
        inner = runs.cut(image, edges[:-1].astype(np.uint64) << np.uint64(shift))
        return np.append(inner, len(runs[image]))

    def _defects(
        self, which: Sequence[int], places: Sequence[_Ints], block: int, here: tuple[int, int]
    ) -> "_Defects":
        """Sum up the defect pixels of a block by their keys."""
        parts = (
            self._split(np.asarray(self._bad[i][place[block] : place[block + 1]]), i)
            for i, place in zip(which, places, strict=True)
            if place[block + 1] > place[block]
        )
        if here[1] - here[0] > _BINS:
            listed = list(parts)
            merged = np.concatenate([key for key, _ in listed])
            distinct, inverse, repeated = np.unique(merged, return_inverse=True, return_counts=True)
            share = np.concatenate([share for _, share in listed])
            summed = np.bincount(inverse, share).astype(np.float64)
            return _Defects(distinct, repeated.astype(np.float64), summed)
        pixels, shares = np.zeros(_BINS), np.zeros(_BINS)
        for key, share in parts:
            offset = (key - np.uint32(here[0])).astype(np.int64)
            pixels += np.bincount(offset, minlength=_BINS)
            shares += np.bincount(offset, share, minlength=_BINS)
        held = np.flatnonzero(pixels)
        return _Defects((held + here[0]).astype(np.uint32), pixels[held], shares[held])


@dataclass(frozen=True)
class _Defects:
    keys: NDArray[np.uint32]  # distinct, ascending
    pixels: _Floats  # that have this key
    shares: _Floats  # of components that they cover


def _ranks(
    negatives: Iterable[NDArray[np.uint32]], wanted: NDArray[np.uint32], here: tuple[int, int]
) -> tuple[_Floats, _Floats]:
    """Count a block's pixels without a defect that score above each key, and at or above it."""
    width, one_bin = here[1] - here[0], here[1] - here[0] <= _BINS
    if not one_bin:  # no more pixels than are ranked at once
        negatives = [np.concatenate([*negatives, np.empty(0, np.uint32)])]
        if width > 2 * len(negatives[0]):  # cheaper than a counter for each key
            merged = np.sort(negatives[0])
            upper, lower = (np.searchsorted(merged, wanted, side) for side in ("left", "right"))
            return upper.astype(np.float64), lower.astype(np.float64)
    counts = np.zeros(width, np.int64)
    for piece in negatives:
        counts += np.bincount(piece - np.uint32(here[0]), minlength=width)
    at = (wanted - np.uint32(here[0])).astype(np.int64)
    lower = np.cumsum(counts)[at]
    return (lower - counts[at]).astype(np.float64), lower.astype(np.float64)


def _reach(upper: _Floats, lower: _Floats, end: float) -> _Floats:
    """Integrate, up to ``end``, steps that rise from 0 at ``upper`` linearly to 1 at ``lower``.

    What a pixel adds to the area under a curve that it enters between these two ranks.
    """
    rising = np.clip(end, upper, lower) - upper
    slope = np.where(lower > upper, lower - upper, 1)
    return np.asarray(np.clip(end - lower, 0, None) + rising**2 / (2 * slope))
