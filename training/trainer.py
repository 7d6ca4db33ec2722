"""The state of a training run: networks, optimizer, average, history, and its checkpoint."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.detector import Detector
from models.errors import InputError
from training.average import WeightAverage
from training.checkpoint import Checkpoint
from training.examples import Example
from training.features import TeacherFeatures
from training.history import History
from training.settings import TrainSettings
from training.step import terms, total


class Trainer:
    """Trains student and autoencoder in place, on the detector's device.

    The teacher is not changed, and its statistics must have been set. Goes on from the checkpoint
    where there is one.
    """

    def __init__(self, detector: Detector, settings: TrainSettings, checkpoint: Checkpoint) -> None:
        self._detector = detector.to(memory_format=torch.channels_last)
        self._settings = settings
        self._checkpoint = checkpoint
        self._nets: dict[str, nn.Module] = {
            "student": detector.student,
            "autoencoder": detector.autoencoder,
        }
        self._optimizer = torch.optim.Adam(
            [{"params": net.parameters()} for net in self._nets.values()],
            weight_decay=settings.weight_decay,
            fused=True,
        )
        nets = list(self._nets.values()) if settings.ema else []
        self._average = WeightAverage(nets, settings.ema)
        self._features = TeacherFeatures(detector)
        self._unread: list[tuple[tuple[str, ...], Tensor]] = []
        self.history = History()
        if saved := checkpoint.load():
            self._go_on(saved)

    @property
    def steps(self) -> int:
        """Steps done."""
        return len(self.history) + len(self._unread)

    def step(self, examples: Sequence[Example]) -> None:
        """Train on a batch. Its losses are read later."""
        settings, number = self._settings, self.steps
        random = np.random.default_rng((settings.seed, 2, number))
        torch.manual_seed(int(random.integers(2**31)))  # dropout's
        rates = (settings.rate, settings.rate_ae)  # in the order of the networks
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * settings.schedule.factor(number, settings.steps)
        found = self.backward(examples, settings.at(number))
        self._optimizer.step()
        self._average.update(number + 1)
        self._unread.append((tuple(found), torch.stack(list(found.values()))))

    def backward(self, examples: Sequence[Example], settings: TrainSettings) -> dict[str, Tensor]:
        """Compute losses and gradients, and change no weight; give the losses."""
        self._optimizer.zero_grad()
        found = terms(self._detector, self._features, examples, settings)
        loss = total(found, settings)
        loss.backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in {"total": loss, **found}.items()}

    def read(self) -> float:
        """Take the steps' losses into the history; give the last.

        Raises ``InputError``, which names the step, if one is not finite.
        """
        values = [math.nan]
        for names, losses in self._unread:
            values = losses.tolist()
            if not math.isfinite(values[0]):
                raise self._diverged(f"the loss is {values[0]} at step {len(self.history) + 1}")
            self.history.add(dict(zip(names, values, strict=True)))
        self._unread.clear()
        return values[0]

    def measure(self, examples: Sequence[Example]) -> None:
        """Add the held-out loss of clean tiles to the history, without dropout."""
        settings = replace(self._settings, coeff_ood=0, coeff_cdo=0)
        losses = []
        self._average.exchange()
        self._detector.autoencoder.eval()
        with torch.no_grad():
            for example in examples:
                found = terms(self._detector, self._features, [example], settings)
                losses.append(total(found, settings).item())
        self._detector.autoencoder.train()
        self._average.exchange()
        self.history.add_held_out(sum(losses) / len(losses))

    def finish(self) -> None:
        """Leave the networks as they are to be used."""
        self._average.exchange()
        self._detector.autoencoder.eval()

    def save(self) -> None:
        """Write the checkpoint; all losses must have been read.

        Raises ``InputError`` if a weight is not finite: then the last good one stays.
        """
        values = [*self._average.values, *(p for n in self._nets.values() for p in n.parameters())]
        if not all(bool(value.isfinite().all()) for value in values):
            raise self._diverged(f"a weight is not finite after step {self.steps}")
        self._checkpoint.save(
            {
                **{name: net.state_dict() for name, net in self._nets.items()},
                "average": self._average.values,
                "optimizer": self._optimizer.state_dict(),
                "history": self.history.rows,
            }
        )

    def _go_on(self, saved: dict[str, Any]) -> None:
        for name, net in self._nets.items():
            net.load_state_dict(saved[name])
        self._average.load(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self.history = History(saved["history"])

    def _diverged(self, what: str) -> InputError:
        kept = f"; {self._checkpoint.path} is of before" if self._checkpoint.path.exists() else ""
        return InputError(
            f"{what}: training diverged; lower the rate, which is {self._settings.rate}, or the"
            f" autoencoder's, {self._settings.rate_ae}{kept}"
        )
