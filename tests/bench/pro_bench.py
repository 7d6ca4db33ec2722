"""Time and memory of AU-PRO and pixel AUROC: 115 images of 700 x 700, as metal_nut has.

    python -m tests.bench.pro_bench [IMAGES] [SIDE]

Prints the seconds of ``add`` (with drawing, upsampling and component search apart) and of
``areas``, and how far the peak memory rose.
"""

import resource
import sys
import time

import numpy as np
import torch

from models.geometry import Whole
from training.evaluation.pixel_metrics import PixelScores


def _peak() -> float:
    """Give the highest resident memory so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(images: int = 115, side: int = 700) -> None:
    random = np.random.default_rng(0)
    placement = Whole(side, side).placement
    y, x = np.mgrid[:side, :side]
    before = _peak()
    drawing = adding = 0.0
    with PixelScores() as scored:
        for n in range(images):
            began = time.perf_counter()
            cells = torch.from_numpy(random.gamma(2, 0.02, (56, 56)).astype(np.float32))
            mask = np.zeros((side, side), np.bool_)
            for _ in range(2 if n * 115 >= 22 * images else 0):  # 22 of 115 are good
                cy, cx = random.integers(0, side, 2)
                mask |= (y - cy) ** 2 + (x - cx) ** 2 < (side / 10) ** 2
                cells[cy * 56 // side, cx * 56 // side] += 0.3
            values = placement.to_pixels(cells, (side, side)).numpy()
            drawn = time.perf_counter()
            scored.add(values, mask)
            adding += time.perf_counter() - drawn
            drawing += drawn - began
        began = time.perf_counter()
        found = scored.areas()
        ranking = time.perf_counter() - began
        print(f"{images} images of {side} x {side}: {found}")
    print(f"drawing and upsampling {drawing:.1f} s, add {adding:.1f} s, areas {ranking:.1f} s")
    print(f"peak memory {before:.0f} MB before, {_peak():.0f} MB after")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
