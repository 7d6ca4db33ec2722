"""Training of one scale's student and autoencoder against the teacher (thesis 4.4, 4.5)."""

import hashlib
import time
from collections.abc import Sequence

import torch

from models.detector import Detector
from models.errors import InputError
from models.precision import autocast
from training.checkpoint import Checkpoint
from training.data.good import digest
from training.device import fitting
from training.examples import Example, Examples, held_out_examples
from training.history import History
from training.natural import NaturalTiles
from training.progress import Report
from training.settings import TrainSettings
from training.statistics import channel_statistics
from training.tiles import TrainingTiles
from training.trainer import Trainer

#: Steps whose losses stay on an accelerator: to read them, the CPU waits for it.
READ_EVERY = 25
#: How often a run measures the held-out loss, and after how many steps at the soonest.
HELD_OUT_TIMES, HELD_OUT_EVERY = 20, 50


def run_key(
    scale: str,
    tiles: TrainingTiles,
    detector: Detector,
    settings: TrainSettings,
    natural: NaturalTiles | None = None,
) -> str:
    """Name a run by all that decides its result, so that no other goes on from its checkpoint.

    ``detector``: as the run begins with it.
    """
    sums = [value.double().sum().item() for value in detector.state_dict().values()]
    images = [digest(p) for p in tiles.paths]
    names = None if natural is None else natural.names
    what = (scale, images, tiles.geometry, names, sums, settings)
    return hashlib.sha256(repr(what).encode()).hexdigest()


def teacher_statistics(detector: Detector, tiles: TrainingTiles) -> None:
    """Set the teacher's channel mean and deviation over all training tiles."""
    device = detector.norm.mean.device
    with torch.no_grad(), autocast(device.type):
        mean, std = channel_statistics(
            detector.teacher.net(detector.norm(tile[None].to(device))) for tile in tiles
        )
    detector.teacher.set_statistics(mean.float(), std.float())


def train(
    detector: Detector,
    tiles: TrainingTiles,
    held_out: TrainingTiles,
    settings: TrainSettings,
    checkpoint: Checkpoint,
    progress: Report,
    natural: NaturalTiles | None = None,
) -> History:
    """Train student and autoencoder in place; give the losses.

    The teacher is not changed, and its statistics must have been set. Goes on from the checkpoint
    where there is one. Raises ``InputError`` if training diverges, and if an accelerator's memory
    does not hold the batch.
    """
    device = detector.norm.mean.device
    trainer = Trainer(detector, settings, checkpoint)
    clean = held_out_examples(held_out)
    read_every = 1 if device.type == "cpu" else READ_EVERY
    measure_every = max(HELD_OUT_EVERY, -(-settings.steps // HELD_OUT_TIMES))
    detector.autoencoder.train()
    examples_of = Examples(tiles, settings, natural)
    began, before = time.monotonic(), trainer.steps
    for examples in examples_of.batches(trainer.steps, settings.steps, device):
        _step(trainer, examples, settings)
        done = trainer.steps
        last = done == settings.steps
        saves = done % settings.checkpoint_every == 0 or last
        measures = done % measure_every == 0 or last
        if done % read_every and not saves and not measures:
            continue
        loss = trainer.read()
        if measures:
            trainer.measure(clean)
        progress(done, loss)
        if saves:
            trainer.save()
    trainer.finish()
    trainer.history.steps_per_second = (trainer.steps - before) / (time.monotonic() - began)
    return trainer.history


def _step(trainer: Trainer, examples: Sequence[Example], settings: TrainSettings) -> None:
    try:
        trainer.step(examples)
    except torch.OutOfMemoryError:
        batch = len(examples)
        fits = fitting(lambda size: trainer.backward(examples[:size], settings), batch)
        instead = f"{fits} fits: give --batch {fits}" if fits else "nor 1: give --device cpu"
        raise InputError(
            f"batch = {batch}: the accelerator's memory does not hold it; {instead}"
        ) from None
