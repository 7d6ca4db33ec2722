"""Acceptance on real parts: good draws, defects among them, another product, blur, brightness.

``python -m tests.bench.changeover BUNDLE DATA`` wants a bundle trained on DATA/metal_nut, best with
``--hold-out 0.4``, and for another product DATA/magnetic_tile. Each frame is looked at once,
whatever the number of draws.
"""

import argparse
import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calibration.acceptance.accept import accept
from calibration.acceptance.answer import Acceptance
from calibration.acceptance.judge import Judge
from calibration.acceptance.page import write_page
from calibration.looked import Measured
from calibration.measure import Measurement
from calibration.record import Choice
from calibration.shown import Shown
from models import bundle as bundles
from models.bundle import Bundle
from models.calibration import Calibration, RawMaps, fuse
from models.engine import Engine
from models.images import find_images, read_rgb, to_tensor
from models.pixel_format import PixelFormat
from models.precision import Precision, has_bf16
from training.data.good import digest

Frame = NDArray[np.uint8]
SHOWN, DEFECTIVE = 50, 5


class Remembering(Engine):
    """An engine that looks at each frame once."""

    seen: dict[bytes, dict[str, RawMaps]]

    def look_at(self, rgb: Tensor) -> dict[str, RawMaps]:
        key = hashlib.sha256(rgb.numpy().tobytes()).digest()
        if key not in self.seen:
            self.seen[key] = super().look_at(rgb)
        return self.seen[key]


@dataclass(frozen=True)
class Bench:
    bundle: Bundle
    engine: Engine
    choice: Choice
    good: list[Frame]  # never trained on
    bad: list[Frame]

    def measure(self, frames: Sequence[tuple[str, Frame]]) -> tuple[Measured, Acceptance, Judge]:
        shown = [Shown.of(name, name, f, PixelFormat.RGB8) for name, f in frames]
        named = {one.digest: one for one in shown}
        with (
            tempfile.TemporaryDirectory() as folder,
            Measurement(self.bundle, self.engine, self.choice, Path(folder)) as measurement,
        ):
            measurement.show(shown, len(shown), lambda seen: None)
            found = measurement.finish()
        read = named.__getitem__
        told = accept(self.bundle, found, self.engine, read)
        return found, told, Judge.of(self.bundle, found, self.engine, read)

    def rejects(self, calibration: Calibration, frames: Sequence[Frame]) -> float:
        """Give the share of frames at or above the threshold."""
        scores = [
            fuse(
                self.engine.look_at(to_tensor(frame)),
                calibration.scales,
                calibration.alpha,
                self.bundle.weights,
            ).score
            for frame in frames
        ]
        return float(np.mean(np.array(scores) >= calibration.threshold))


def named(frames: Sequence[Frame], kind: str = "good") -> list[tuple[str, Frame]]:
    return [(f"{kind} {n}", frame) for n, frame in enumerate(frames)]


def said(acceptance: Acceptance) -> str:
    failed = ", ".join(
        f"{c.name} {c.value:.3g} ({c.reference:.3g} at training)" for c in acceptance.failed
    )
    found = acceptance.separation
    separation = f"AUROC {found.auroc:.3f}, found {found.found:.2f}" if found else "none"
    suspects = [s.name for s in acceptance.suspects]
    return f"{acceptance.answer}; {separation}; suspects {suspects}; {failed}"


def good_draws(bench: Bench, draws: int) -> None:
    answers = Counter[str]()
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(bench.good))[:SHOWN]
        told = bench.measure(named([bench.good[n] for n in order]))[1]
        answers[str(told.answer)] += 1
        if told.failed or told.suspects:
            print(f"  draw {seed}: {said(told)}", flush=True)
    print(f"{draws} draws of {SHOWN} good: {dict(answers)}", flush=True)


def defective_among(bench: Bench, draws: int, report: Path | None) -> None:
    met = 0
    for seed in range(draws):
        random = np.random.default_rng(1000 + seed)
        good = [bench.good[n] for n in random.permutation(len(bench.good))[: SHOWN - DEFECTIVE]]
        bad = [bench.bad[n] for n in random.permutation(len(bench.bad))[:DEFECTIVE]]
        _, told, judge = bench.measure([*named(good), *named(bad, "bad")])
        kinds = Counter(s.name.split()[0] for s in told.suspects)
        met += kinds["bad"] >= DEFECTIVE - 1 and kinds["good"] <= 2
        print(
            f"  draw {seed}: {told.answer}, {kinds['bad']} of {DEFECTIVE} named, and"
            f" {kinds['good']} good",
            flush=True,
        )
        if report is not None and seed == 0:
            write_page(report, told, judge, "changeover")
    print(f"{DEFECTIVE} defective among {SHOWN}: {met} of {draws} draws name 4 and at most 2 good")


def changed(bench: Bench, name: str, change: Callable[[Frame], Frame], splits: int) -> None:
    """Calibrate before and after a change; the rest of the good frames was never shown."""
    bad = bench.bad[::2]
    spoilt = [change(frame) for frame in bad]
    rates: dict[str, list[tuple[float, float]]] = {}
    stated = []
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(bench.good))
        shown = [bench.good[n] for n in order[: min(SHOWN, len(order) * 2 // 3)]]
        unseen = [bench.good[n] for n in order[len(shown) :]]
        before = bench.measure(named(shown))[0].calibration
        found, told, _ = bench.measure(named([change(f) for f in shown]))
        if not seed:
            print(f"{name}: {said(told)}", flush=True)
        dimmed = [change(frame) for frame in unseen]
        after = found.calibration
        stated.append((after.false_reject_rate, *after.made.interval))
        for when, calibration, fine, worse in (
            ("before", before, unseen, bad),
            ("changed", before, dimmed, spoilt),
            ("recalibrated", after, dimmed, spoilt),
        ):
            pair = bench.rejects(calibration, fine), bench.rejects(calibration, worse)
            rates.setdefault(when, []).append(pair)
    for when, pairs in rates.items():
        rejected, recall = np.mean(pairs, axis=0)
        every = " ".join(f"{pair[0]:.2f}" for pair in pairs)
        print(f"  {when}: false rejects of unseen {rejected:.3f} ({every}), recall {recall:.3f}")
    rate, low, high = np.mean(stated, axis=0)
    print(f"  stated after: {rate:.3f}, {low:.3f} to {high:.3f}", flush=True)


def scaled(times: float) -> Callable[[Frame], Frame]:
    def change(frame: Frame) -> Frame:
        return np.asarray(np.clip(frame.astype(np.float32) * times + 0.5, 0, 255), np.uint8)

    return change


def blurred(frame: Frame) -> Frame:
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 3), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", type=Path, help="page of the first draw with defects")
    args = parser.parse_args()
    bundle = bundles.load(args.bundle)
    precision = Precision.BF16 if has_bf16() else Precision.FP32
    engine = Remembering(bundle, precision=precision, threads=args.threads)
    engine.seen = {}
    root, trained_on = args.data / "metal_nut", set(bundle.manifest.trained_on)
    paths = [p for p in find_images(root / "train" / "good") if digest(p) not in trained_on]
    paths += find_images(root / "test" / "good")
    kinds = sorted(p for p in (root / "test").iterdir() if p.name != "good")
    bench = Bench(
        bundle,
        engine,
        Choice(alpha=0.5, device="cpu", precision=precision),
        [read_rgb(path) for path in paths],
        [read_rgb(path) for kind in kinds for path in find_images(kind)],
    )
    print(
        f"{len(bench.good)} good frames never trained on, {len(bench.bad)} defective; {precision}"
    )
    good_draws(bench, args.draws)
    tiles = find_images(args.data / "magnetic_tile" / "train" / "good")[:30]
    size = (bundle.manifest.input.width, bundle.manifest.input.height)
    resized = [np.asarray(cv2.resize(read_rgb(path), size), np.uint8) for path in tiles]
    print(f"magnetic_tile: {said(bench.measure(named(resized))[1])}", flush=True)
    blur = bench.measure(named([blurred(frame) for frame in bench.good[:20]]))[1]
    print(f"strong blur: {said(blur)}", flush=True)
    defective_among(bench, args.draws, args.report)
    changed(bench, "brightness -15 %", scaled(0.85), args.draws)
    changed(bench, "brightness +15 %", scaled(1.15), args.draws)


if __name__ == "__main__":
    main()
