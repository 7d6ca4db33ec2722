"""What a training run can be told."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from models.errors import InputError
from training.schedule import Schedule, ramped


class Synthetic(StrEnum):
    """Kinds of synthetic anomaly (``training.synthetic``)."""

    NOISE = "noise"  # the thesis' squares of Gaussian values (4.1.3)
    CUT_PASTE = "cut-paste"  # a piece of another place or part, blended in
    PERLIN = "perlin"  # a texture in the shape of Perlin noise


@dataclass(frozen=True)
class TrainSettings:
    """All that decides a training run beside its images and its teacher.

    Raises ``InputError`` for settings that no run can have.
    """

    steps: int = 3000
    batch: int = 1  # tiles a step
    schedule: Schedule = Schedule.COSINE
    rate: float = 3e-4  # Adam's learning rate for the student, at its highest
    rate_ae: float = 1e-3  # and for the autoencoder
    weight_decay: float = 1e-5
    seed: int = 0
    coeff_hard: float = 1.0
    coeff_ae: float = 1.0
    coeff_stae: float = 1.0
    coeff_ood: float = 0.0  # needs natural images
    coeff_cdo: float = 0.0  # needs synthetic anomalies
    hard_quantile: float = 0.999  # elements below it are left out of L_hard, in the end
    hard_ramp: float = 1.0  # share of the steps over which L_hard comes from all elements to those
    cdo_gamma: float = 2.0  # exponent of the weights of L_CDO
    synthetic: Synthetic = Synthetic.NOISE
    synthetic_probability: float = 0.4  # that an image carries one
    geometric: bool = False  # flips and quarter turns beside the appearance augmentation
    ema: float = 0.0  # decay of the running average of the weights that is shipped; 0: the last
    checkpoint_every: int = 100  # steps

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be 1 or more")
        if self.seed < 0:
            raise InputError(f"seed = {self.seed}: must be 0 or more")
        for name in ("rate", "rate_ae"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(
                    f"{name} = {value}: must be above 0; {getattr(TrainSettings, name)} is usual"
                )
        for name in ("hard", "ae", "stae", "ood", "cdo"):
            value = getattr(self, f"coeff_{name}")
            if not 0 <= value < math.inf:
                raise InputError(f"coeff_{name} = {value}: must be 0 (off) or more")
        for name in ("hard_quantile", "hard_ramp", "synthetic_probability"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} = {value}: must be 0 to 1")
        if not 0 <= self.ema < 1:
            raise InputError(f"ema = {self.ema}: must be 0 (off) or more and below 1")
        for name in ("weight_decay", "cdo_gamma"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(f"{name} = {value}: must be 0 or more")
        if not any((self.coeff_hard, self.coeff_ae, self.coeff_stae)):
            raise InputError("coeff_hard, coeff_ae and coeff_stae are 0: set one above 0")

    def at(self, step: int) -> "TrainSettings":
        """Give the settings as they are at a step, counted from 0."""
        quantile = ramped(self.hard_quantile, step, self.hard_ramp * self.steps)
        return replace(self, hard_quantile=quantile)
