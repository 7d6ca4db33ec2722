"""The test images after they were looked at: raw maps, truth, and what normalizes and fuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.calibration import AnomalyMap, fuse
from training.data.samples import DataSet, Sample
from training.evaluation.bootstrap import Parts
from training.evaluation.maps import KeptMaps, to_pixels
from training.evaluation.normal import Normal
from training.evaluation.truth import Truth


@dataclass(frozen=True, eq=False)
class Looked:
    data: DataSet
    truths: Sequence[Truth]  # of the test images, in their order
    kept: KeptMaps
    normal: Normal
    weights: Mapping[str, float]  # of the scales
    _scores: dict[float, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.data.test

    @cached_property
    def defective(self) -> NDArray[np.bool_]:
        return np.array([not sample.good for sample in self.samples], np.bool_)

    @cached_property
    def parts(self) -> Parts:
        return Parts.of([sample.part_key for sample in self.samples], self.defective)

    @cached_property
    def known(self) -> list[int]:
        """The images whose defect pixels are known; all others have no say in pixel metrics."""
        return [i for i, truth in enumerate(self.truths) if truth.packed is not None]

    def name(self, image: int) -> str:
        """Name an image by its path from the data set's folder."""
        path, root = self.samples[image].path, self.data.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def fused(self, image: int, alpha: float) -> AnomalyMap:
        return fuse(self.kept[image], self.normal.ranges, alpha, self.weights)

    def scores(self, alpha: float) -> NDArray[np.float64]:
        """Give the score of each test image; not to be changed."""
        if alpha not in self._scores:
            found = [self.fused(i, alpha).score for i in range(len(self.samples))]
            self._scores[alpha] = np.array(found, np.float64)
        return self._scores[alpha]

    def pixels(self, image: int, alpha: float) -> NDArray[np.float32]:
        """Give an anomaly map at the resolution of the image, which is that of its mask."""
        truth = self.truths[image]
        fused = self.fused(image, alpha)
        return to_pixels(fused, truth.height, truth.width, self.normal.scope)

    @property
    def map_alphas(self) -> dict[str, float]:
        """The alpha that gives each of the three maps."""
        return {"local": 1.0, "global": 0.0, "fused": self.normal.alpha}
