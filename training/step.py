"""The losses of one step: which image feeds which network (THESIS_NOTES.md)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.detector import Detector
from models.precision import autocast
from training import losses
from training.examples import Example
from training.features import TeacherFeatures
from training.halves import Half, halves
from training.settings import TrainSettings


def terms(
    detector: Detector,
    features: TeacherFeatures,
    examples: Sequence[Example],
    settings: TrainSettings,
) -> dict[str, Tensor]:
    """Give each loss whose coefficient is not 0, by name: hard, ae, stae, ood, cdo."""
    found: dict[str, Tensor] = {}
    with autocast(detector.norm.mean.device.type):
        follows_teacher, follows_autoencoder = halves(detector.student)
        if settings.coeff_hard or settings.coeff_cdo:
            clean = _images(detector, [e.clean for e in examples])
            teacher = torch.stack(
                [features.of(e.key, image) for e, image in zip(examples, clean, strict=True)]
            )
        if settings.coeff_hard and not settings.coeff_cdo:
            found["hard"] = follows_teacher.hard(clean, teacher, settings.hard_quantile)
        if settings.coeff_cdo:
            student = follows_teacher(clean)
            if settings.coeff_hard:
                found["hard"] = losses.hard(teacher, student, settings.hard_quantile)
            normal = losses.distance(teacher, student)[_untouched(examples, teacher)]
            anomalous = _on_anomalies(detector, features, follows_teacher, examples)
            found["cdo"] = losses.collaborative(normal, anomalous, settings.cdo_gamma)
        if settings.coeff_ae or settings.coeff_stae:
            augmented = _images(detector, [e.augmented for e in examples])
            predicted = detector.autoencoder(augmented).float()
            if settings.coeff_ae:
                found["ae"] = losses.autoencoder(features.compute(augmented), predicted)
            if settings.coeff_stae:
                student = follows_autoencoder(augmented)
                found["stae"] = losses.student_autoencoder(predicted, student)
        if settings.coeff_ood:
            natural = [e.natural for e in examples if e.natural is not None]
            student = follows_teacher(_images(detector, natural))
            found["ood"] = losses.out_of_distribution(student)
    return found


def total(found: dict[str, Tensor], settings: TrainSettings) -> Tensor:
    """Weigh the losses (eq. 5.1)."""
    return torch.stack([getattr(settings, f"coeff_{k}") * v for k, v in found.items()]).sum()


def _untouched(examples: Sequence[Example], like: Tensor) -> Tensor:
    """Tell which cells see no synthetic anomaly, (N, h, w): there a clean tile's features are those
    of the tile with the anomaly, exactly."""
    _, _, rows, columns = like.shape
    none = torch.zeros(rows, columns, dtype=torch.bool)
    return ~torch.stack([none if e.touched is None else e.touched for e in examples]).to(
        like.device
    )


def _on_anomalies(
    detector: Detector,
    features: TeacherFeatures,
    follows_teacher: Half,
    examples: Sequence[Example],
) -> Tensor:
    """Give the distances of the cells that lie on synthetic anomalies, (m,)."""
    found = [torch.empty(0, device=detector.norm.mean.device)]
    for window in (w for e in examples for w in e.anomalous):
        images = _images(detector, [window.pixels])
        distances = losses.distance(features.compute(images), follows_teacher(images))
        found.append(distances[0][window.on.to(distances.device)])
    return torch.cat(found)


def _images(detector: Detector, tiles: Sequence[Tensor]) -> Tensor:
    """Stack tiles on the detector's device, normalized, channels last."""
    device = detector.norm.mean.device
    images: Tensor = detector.norm(torch.stack([t.to(device, non_blocking=True) for t in tiles]))
    return images.contiguous(memory_format=torch.channels_last)
