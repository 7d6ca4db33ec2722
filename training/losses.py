"""The losses of the thesis as pure functions of features (N, C, h, w), float32."""

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Share of elements that L_hard leaves out (EfficientAD's p_hard).
HARD_QUANTILE = 0.999
#: Largest weight of a cell in L_CDO. At gamma 2 it is of a distance that is 10 times the mean of
#: the normal cells, or a tenth of that of the anomalous ones.
WEIGHT_LIMIT = 100.0


def hard(teacher: Tensor, student: Tensor, quantile: float = HARD_QUANTILE) -> Tensor:
    """L_hard, eq. 4.2: mean of the squared differences at or above their quantile."""
    squared = (teacher - student).square().flatten()
    kept = hard_count(squared.numel(), quantile)
    return torch.topk(squared, kept, sorted=False).values.mean()


def hard_count(elements: int, quantile: float) -> int:
    """Give how many of so many elements are at or above their quantile, if no two are equal."""
    return elements - math.ceil(quantile * (elements - 1))


def autoencoder(teacher: Tensor, predicted: Tensor) -> Tensor:
    """L_AE, eq. 4.3: the autoencoder predicts the teacher's features."""
    return functional.mse_loss(predicted, teacher)


def student_autoencoder(predicted: Tensor, student: Tensor) -> Tensor:
    """L_STAE, eq. 4.4: the student's second half predicts the autoencoder."""
    return functional.mse_loss(student, predicted)


def out_of_distribution(student: Tensor) -> Tensor:
    """L_OOD (EfficientAD, eq. 4): the student's first half is silent on natural images."""
    return student.square().mean()


def distance(teacher: Tensor, student: Tensor) -> Tensor:
    """d, eq. 4.5: squared distance of features of unit length, (N, h, w), from 0 to 4."""
    unit = functional.normalize(teacher, dim=1) - functional.normalize(student, dim=1)
    return unit.square().sum(dim=1)


def collaborative(normal: Tensor, anomalous: Tensor, gamma: float) -> Tensor:
    """L_CDO, eq. 4.6 to 4.9: distances of normal cells small, of anomalous ones large.

    Both are ``distance``s, (n,) and (m,); either may be empty, and its terms are left out. The
    weights are no part of the gradient, and at most ``WEIGHT_LIMIT``.
    """
    pull = _weights(normal, gamma)
    push = _weights(anomalous, -gamma)
    weighed = (pull * normal).sum() - (push * anomalous).sum()
    return weighed / (pull.sum() + push.sum()).clamp(min=1e-12)


def _weights(distances: Tensor, exponent: float) -> Tensor:
    """Eq. 4.7 and 4.8: the distance over its mean, to a power."""
    known = distances.detach()
    if not known.numel():
        return known
    relative = known / known.mean().clamp(min=1e-12)
    return relative.pow(exponent).clamp(max=WEIGHT_LIMIT)
