"""Distillation of a backbone into a teacher (thesis algorithm 1)."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import InputError
from models.geometry import CELLS
from models.pdn import pdn
from training.ahead import ahead
from training.checkpoint import Checkpoint
from training.device import fitting
from training.distillation.comparison import Comparison
from training.distillation.kept import Window
from training.distillation.ranks import Ranks
from training.distillation.settings import DistillSettings
from training.distillation.targets import WHOLE, Batch, Source, Targets, Wanted
from training.distillation.views import NaturalImages, View, Views

#: Images whose features give the channels' mean and deviation (algorithm 1, step 7).
STATISTICS = 200
#: Views at a time where nothing is trained.
CHUNK = 8
#: Steps whose images are read ahead, by how many threads.
DEPTH = 4
THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Distilled:
    net: nn.Sequential  # without padding, float32, on the CPU
    steps: int
    views: int  # seen, over all steps and ranks
    losses: list[float]  # of each step, of all ranks
    held_out_loss: float  # mean squared error of standardized features, 1 is knowing nothing


class Distillation:
    """The state of a distillation: it goes on from its checkpoint where there is one.

    The first rank alone reads and writes the checkpoint, and keeps the running average of the
    weights that becomes the teacher.
    """

    def __init__(
        self,
        settings: DistillSettings,
        images: NaturalImages,
        targets: Targets,
        start: dict[str, Tensor] | None,
        checkpoint: Checkpoint,
        ranks: Ranks,
    ) -> None:
        """Take where to start, or None for random weights.

        Raises ``InputError`` for an image that cannot be read, or a checkpoint of another run.
        """
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.first = ranks.first
        self._images = images
        self._views = Views(images.train, settings.seed, settings.views)
        self._targets = targets
        self._checkpoint = checkpoint
        self._ranks = ranks
        self._net = pdn(settings.size, settings.channels)
        if start is not None:
            self._net.load_state_dict(start)
        self._net.to(ranks.device).to(memory_format=torch.channels_last)
        self._average = {k: v.clone() for k, v in self._net.state_dict().items()}
        self._optimizer = torch.optim.Adam(
            self._net.parameters(), lr=settings.rate, weight_decay=1e-5
        )
        self._comparison = Comparison(settings.channels, settings.precision, ranks.device)
        self._views_seen = 0
        self.losses: list[float] = []
        self._unread: Tensor | None = None  # the last step's loss, still on its device
        if ranks.first:
            self._load_or_begin()
        self._done, self._views_seen = self._same_everywhere()
        self._averaging = ranks.averaging(self._net)

    def run(self) -> Iterator[int]:
        """Train to the last step, saving now and then; yield the number of steps done."""
        settings = self.settings
        last = self._views_seen + (settings.steps - self._done) * settings.batch
        numbers = range(self._views_seen, last, settings.batch)
        with closing(ahead(self._read, numbers, threads=THREADS, depth=DEPTH)) as batches:
            for wanted, sources in batches:
                self._attempt(wanted, sources)
                if self._done % settings.checkpoint_every == 0 or self._done == settings.steps:
                    self.save()
                yield self._done

    def save(self) -> None:
        """Write the checkpoint; raises ``InputError``, and keeps the last, if it cannot."""
        self._read_loss()
        if self._ranks.first:
            self._checkpoint.save(
                {
                    "net": self._net.state_dict(),
                    "average": self._average,
                    "optimizer": self._optimizer.state_dict(),
                    "mean": self._comparison.mean,
                    "std": self._comparison.std,
                    "losses": self.losses,
                    "views": self._views_seen,
                }
            )

    def distilled(self) -> Distilled:
        """Give the teacher so far: the average of the weights over about the last 1000 steps."""
        self._read_loss()
        net = pdn(self.settings.size, self.settings.channels)
        net.load_state_dict(self._average)
        net.to(self._ranks.device).to(memory_format=torch.channels_last)
        seed, paths = self.settings.seed, self._images.held_out
        views = [View(path, seed, place, 0) for place, path in enumerate(paths)]
        held_out_loss = self._comparison.mean_loss(net, self._whole(views))
        return Distilled(
            net=net.to("cpu").to(memory_format=torch.contiguous_format),
            steps=self._done,
            views=self._views_seen,
            losses=list(self.losses),
            held_out_loss=held_out_loss,
        )

    def _load_or_begin(self) -> None:
        if (saved := self._checkpoint.load()) is None:
            views = [self._views[n] for n in range(min(STATISTICS, len(self._images.train)))]
            self._comparison.measure(self._whole(views))
            return
        self._net.load_state_dict(saved["net"])
        self._average = {k: v.to(self._ranks.device) for k, v in saved["average"].items()}
        self._optimizer.load_state_dict(saved["optimizer"])
        self._comparison.mean.copy_(saved["mean"])
        self._comparison.std.copy_(saved["std"])
        self.losses = list(saved["losses"])
        # Checkpoints did not always say: then all steps were of this batch.
        self._views_seen = saved.get("views", len(self.losses) * self.settings.batch)

    def _same_everywhere(self) -> tuple[int, int]:
        """Bring statistics and optimizer to all ranks; give the steps done and the views seen."""
        done = torch.tensor([len(self.losses), self._views_seen])
        self._ranks.from_first([done, self._comparison.mean, self._comparison.std])
        if done[0] > 0:
            state = self._optimizer.state
            for parameter in self._net.parameters():
                if parameter not in state:
                    state[parameter] = {
                        "step": torch.tensor(0.0),
                        "exp_avg": torch.zeros_like(parameter),
                        "exp_avg_sq": torch.zeros_like(parameter),
                    }
                self._ranks.from_first(state[parameter].values())
        steps, views = done.tolist()
        return steps, views

    def _attempt(self, wanted: list[Wanted], sources: list[Source]) -> None:
        try:
            self._step(self._targets.batch(wanted, sources))
        except torch.OutOfMemoryError:
            fits = self._ranks.count * fitting(
                lambda n: self._gradients(self._net, self._targets.batch(wanted[:n], sources[:n])),
                len(wanted),
            )
            raise InputError(
                f"batch = {self.settings.batch}: the accelerator's memory does not hold it;"
                + (f" {fits} fits: give --batch {fits}" if fits else " nor any other")
            ) from None

    def _read(self, first: int) -> tuple[list[Wanted], list[Source]]:
        numbers = self._ranks.share(first, self.settings.batch)
        wanted = [Wanted(self._views[n], self._window(n)) for n in numbers]
        return wanted, self._targets.read(wanted)

    def _window(self, number: int) -> Window:
        cells = self.settings.cells
        random = np.random.default_rng((self.settings.seed, 1, number))
        row, column = random.integers(CELLS - cells + 1, size=2).tolist()
        return Window(row, column, cells)

    def _step(self, batch: Batch) -> None:
        """Train on one batch (steps 18 to 28)."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.rate_at(self._done)
        loss = self._gradients(self._averaging, batch)
        self._optimizer.step()
        if self._ranks.first:
            keep = min(0.999, (self._done + 1) / (self._done + 10))
            for name, value in self._net.state_dict().items():
                self._average[name].lerp_(value, 1 - keep)
        # The loss before is looked at only now, so that the device always has work to do.
        self._read_loss()
        self._unread = self._ranks.mean(loss)
        self._done += 1
        self._views_seen += self.settings.batch

    def _gradients(self, net: nn.Module, batch: Batch) -> Tensor:
        self._optimizer.zero_grad()
        loss = self._comparison.loss(net, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _read_loss(self) -> None:
        if self._unread is None:
            return
        self.losses.append(self._unread.item())
        self._unread = None
        if not math.isfinite(self.losses[-1]):
            raise InputError(
                f"the loss is {self.losses[-1]} at step {len(self.losses)}: distillation diverged;"
                f" lower the rate, which is {self.settings.rate}; {self._checkpoint.path} is as it"
                " was before"
            )

    def _whole(self, views: list[View]) -> Iterator[Batch]:
        for first in range(0, len(views), CHUNK):
            yield self._targets.now([Wanted(v, WHOLE) for v in views[first : first + CHUNK]])


def distill(
    state: Distillation,
    progress: Callable[[int, float], None],
    snapshot: Callable[[Distilled], None],
) -> Distilled | None:
    """Distil to the end; all but the first rank give None, and call nothing.

    Raises ``InputError`` for an image that cannot be read, a full disk, or a loss that is no
    number.
    """
    settings = state.settings
    for done in state.run():
        if not state.first:
            continue
        if state.losses:
            progress(len(state.losses), state.losses[-1])
        if settings.snapshots and done % settings.snapshots == 0 and done < settings.steps:
            snapshot(state.distilled())
    return state.distilled() if state.first else None
