"""What a training step costs, against the same step as it would be written naively.

``python -m tests.bench.train_step [--rounds 9] [--threads 2] [--size small] [--cdo]``. Naive: fp32,
not channels-last, all of the student's channels for both images, the teacher on both images each
time, Adam without fusing. The two take turns, so that whatever else runs disturbs both alike; CPU
time is of all threads of this process. Prints medians and their ratio. Both learn the same tile of
noise, whose features the quick one has kept, as all have been after an epoch.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from models.detector import Detector, build_detector, build_teacher
from models.pdn import PdnSize
from models.precision import has_bf16
from training import losses
from training.checkpoint import Checkpoint
from training.examples import Example
from training.settings import TrainSettings
from training.synthetic.anomaly import anomaly, cells, windows
from training.synthetic.noise import noise
from training.trainer import Trainer

Step = Callable[[], object]


def new_detector(size: PdnSize) -> Detector:
    torch.manual_seed(0)
    detector = build_detector(build_teacher(size).requires_grad_(False), size)
    detector.autoencoder.train()
    return detector


def naive(detector: Detector, example: Example) -> Step:
    """Make the step as EfficientAD's equations read."""
    student, autoencoder = detector.student, detector.autoencoder
    optimizer = torch.optim.Adam(
        [*student.parameters(), *autoencoder.parameters()], lr=3e-4, weight_decay=1e-5
    )

    def step() -> float:
        images = detector.norm(torch.stack([example.clean, example.augmented]))
        with torch.no_grad():
            teacher = detector.teacher(images)
        follows_teacher, follows_autoencoder = student(images).chunk(2, dim=1)
        predicted = autoencoder(images[1:])
        loss = (
            losses.hard(teacher[:1], follows_teacher[:1])
            + losses.autoencoder(teacher[1:], predicted)
            + losses.student_autoencoder(predicted, follows_autoencoder[1:])
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    return step


def quick(trainer: Trainer, example: Example) -> Step:
    def step() -> float:
        trainer.step([example])
        return trainer.read()

    return step


def an_example(*, anomalous: bool) -> Example:
    torch.manual_seed(0)
    clean = torch.rand(3, 256, 256)
    example = Example((0, 0, 0), clean, clean.pow(1.2))
    if not anomalous:
        return example
    good = clean.permute(1, 2, 0).numpy()
    part = np.ones(good.shape[:2], bool)
    found = anomaly(good, noise(good, part, np.random.default_rng(0)))
    on, touched = cells(found)
    return example._replace(anomalous=windows(found, on), touched=touched)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=PdnSize, choices=list(PdnSize), default=PdnSize.SMALL)
    parser.add_argument("--cdo", action="store_true", help="the quick one with L_CDO as well")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    settings = TrainSettings(coeff_cdo=float(args.cdo))
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "none", "")
        trainer = Trainer(new_detector(args.size), settings, checkpoint)
        steps = {
            "naive": naive(new_detector(args.size), an_example(anomalous=False)),
            "quick": quick(trainer, an_example(anomalous=args.cdo)),
        }
        wall: dict[str, list[float]] = {name: [] for name in steps}
        cpu: dict[str, list[float]] = {name: [] for name in steps}
        for turn in range(args.rounds + 2):
            for name, step in steps.items():
                began, spent = time.perf_counter(), time.process_time()
                step()
                if turn >= 2:  # warm
                    wall[name].append(time.perf_counter() - began)
                    cpu[name].append(time.process_time() - spent)
    print(f"{args.size} PDN, {args.threads} threads, bf16 {has_bf16()}, L_CDO {args.cdo}")
    for what, times in (("wall", wall), ("CPU", cpu)):
        naive_s, quick_s = (statistics.median(times[name]) for name in steps)
        print(
            f"  {what:4}  naive {naive_s:.3f} s  quick {quick_s:.3f} s"
            f"  {naive_s / quick_s:.2f} times as many steps a second"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
