"""How soon a drift is told, by what is known: ``python -m tests.bench.drift_delay [--repeats 15]``.

Prints the median and the longest delay, in frames, of a shift after so many good frames, and how
long a look at a frame takes.
"""

import argparse
import time
from statistics import NormalDist, median

import numpy as np

from models.light import light
from models.pixel_format import PixelFormat
from models.sequential import ShiftTest

MOST = 4000  # frames that are waited for
DOUBLED = NormalDist().inv_cdf(0.999) - NormalDist().inv_cdf(0.998)


def delay(seed: int, reference: int, learned: int, shift: float) -> int:
    rng = np.random.default_rng((seed, reference, learned))
    test = ShiftTest(rng.standard_normal(reference).tolist())
    for value in rng.standard_normal(learned).tolist():
        test.see(value)
    values = (rng.standard_normal(MOST) + shift).tolist()
    return next((n for n, value in enumerate(values, start=1) if test.see(value)), MOST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    print(f"shift: 1 deviation, and {DOUBLED:.3f}, which doubles a rate of 0.1 %; {MOST}: not told")
    for reference in (50, 200, 1000):
        for learned in (0, 300, 1000, 5000, 20_000):
            said = []
            for shift in (1.0, DOUBLED):
                delays = [delay(seed, reference, learned, shift) for seed in range(repeats)]
                said.append(f"{median(delays):6.0f} (at most {max(delays):4})")
            print(f"reference {reference:4}, learned {learned:5}: {'  '.join(said)}", flush=True)
    for pixel_format in (PixelFormat.MONO8, PixelFormat.BAYER_RG8, PixelFormat.RGB8):
        frame = np.zeros(pixel_format.shape(3648, 5472), pixel_format.dtype)
        took = []
        for _ in range(100):
            begun = time.perf_counter()
            light(frame, pixel_format)
            took.append(time.perf_counter() - begun)
        print(f"light of 20 MP {pixel_format}: {1000 * median(took):.2f} ms")


if __name__ == "__main__":
    main()
