"""The losses of the thesis as pure functions of features (N, C, h, w), float32."""

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Share of elements that L_hard leaves out (EfficientAD's p_hard).
HARD_QUANTILE = 0.999


def hard(teacher: Tensor, student: Tensor, quantile: float = HARD_QUANTILE) -> Tensor:
    """L_hard, eq. 4.2: mean of the squared differences at or above their quantile."""
    squared = (teacher - student).square().flatten()
    kept = squared.numel() - math.ceil(quantile * (squared.numel() - 1))
    return torch.topk(squared, kept, sorted=False).values.mean()


def autoencoder(teacher: Tensor, predicted: Tensor) -> Tensor:
    """L_AE, eq. 4.3: the autoencoder predicts the teacher's features."""
    return functional.mse_loss(predicted, teacher)


def student_autoencoder(predicted: Tensor, student: Tensor) -> Tensor:
    """L_STAE, eq. 4.4: the student's second half predicts the autoencoder."""
    return functional.mse_loss(student, predicted)
