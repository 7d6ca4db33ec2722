"""Which image feeds which loss and trains what, and that windows and halves are exact."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from models.precision import autocast
from tests.training.networks import CHANNELS, new_detector
from training import losses
from training.examples import Example
from training.features import TeacherFeatures
from training.settings import TrainSettings
from training.step import terms, total
from training.synthetic.anomaly import anomaly, cells, windows

OFF = {f"coeff_{name}": 0.0 for name in ("hard", "ae", "stae", "ood", "cdo")}


def an_example() -> Example:
    torch.manual_seed(0)
    clean, other, natural = (
        torch.rand(3, 256, 256),
        torch.rand(3, 256, 256),
        torch.rand(3, 256, 256),
    )
    good = clean.permute(1, 2, 0).numpy()
    spoilt = good.copy()
    spoilt[98:130, 38:58] = spoilt[98:106, 58:90] = 0.9  # its window has cells that are not on it
    spoilt[10:42, 198:250] = 0.1
    found = anomaly(good, spoilt)
    on, touched = cells(found)
    return Example((0, 0, 0), clean, other * 0.2, windows(found, on), touched, natural * 0.5)


def terms_of(examples: Sequence[Example], **coefficients: float) -> dict[str, Tensor]:
    detector = new_detector().eval()
    settings = TrainSettings(**{**OFF, "coeff_hard": 1.0, **coefficients})  # type: ignore[arg-type]
    return terms(detector, TeacherFeatures(detector), examples, settings)


def spoilt_tile(example: Example) -> Tensor:
    """The whole tile with its anomaly."""
    spoilt = example.clean.clone()
    spoilt[:, 98:130, 38:58] = spoilt[:, 98:106, 58:90] = 0.9
    spoilt[:, 10:42, 198:250] = 0.1
    return spoilt


def test_losses_are_of_the_images_that_they_should_be() -> None:
    """THESIS_NOTES.md: clean for L_hard, augmented for L_AE and L_STAE, injected for L_CDO only."""
    example = an_example()
    detector = new_detector().eval()
    clean, other, natural, spoilt = (
        detector.norm(image)[None]
        for image in (example.clean, example.augmented, example.natural, spoilt_tile(example))
    )
    with torch.inference_mode():
        predicted = detector.autoencoder(other)
        d = losses.distance(detector.teacher(spoilt), detector.student(spoilt)[:, :CHANNELS])[0]
        assert example.touched is not None
        on = torch.zeros(56, 56, dtype=torch.bool)
        on[21:29, 6:11] = on[21:23, 11:19] = True  # cell i answers for 4 i + 14 to 4 i + 17
        on[:7, 46:] = True
        expected = {
            "hard": losses.hard(detector.teacher(clean), detector.student(clean)[:, :CHANNELS]),
            "ae": losses.autoencoder(detector.teacher(other), predicted),
            "stae": losses.student_autoencoder(predicted, detector.student(other)[:, CHANNELS:]),
            "ood": losses.out_of_distribution(detector.student(natural)[:, :CHANNELS]),
            "cdo": losses.collaborative(d[~example.touched], d[on], 2.0),
        }
    found = terms_of([example], **dict.fromkeys(OFF, 1.0))
    assert found.keys() == expected.keys()
    for name, plain in expected.items():
        # In bf16, where the processor has it.
        assert found[name].item() == pytest.approx(plain.item(), rel=0.05, abs=0.01), name


def test_losses_are_weighed_by_their_coefficients() -> None:
    found = {name: torch.tensor(value) for name, value in (("hard", 2.0), ("cdo", -1.0))}
    settings = TrainSettings(coeff_hard=3, coeff_cdo=0.5)
    assert total(found, settings).item() == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("name", "first_half", "second_half", "autoencoder"),
    [
        ("hard", True, False, False),
        ("ae", False, False, True),
        ("stae", False, True, True),
        ("ood", True, False, False),
        ("cdo", True, False, False),
    ],
)
def test_each_loss_trains_what_it_should(
    name: str, first_half: bool, second_half: bool, autoencoder: bool
) -> None:
    settings = TrainSettings(**{**OFF, "coeff_hard": 1.0, f"coeff_{name}": 1.0})  # type: ignore[arg-type]
    detector = new_detector()
    detector.teacher.requires_grad_(True)  # even then
    found = terms(detector, TeacherFeatures(detector), [an_example()], settings)
    found[name].backward()  # type: ignore[no-untyped-call]

    def pulled(gradient: Tensor | None) -> bool:
        return gradient is not None and bool(gradient.abs().max() > 0)

    weight = detector.student.get_parameter("2.weight")
    assert weight.grad is None or weight.grad.shape == weight.shape
    gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
    assert pulled(gradient[:CHANNELS]) is first_half
    assert pulled(gradient[CHANNELS:]) is second_half
    assert all(pulled(p.grad) is autoencoder for p in detector.autoencoder.parameters())
    assert all(p.grad is None for p in detector.teacher.parameters())


def test_a_loss_that_is_off_is_not_computed() -> None:
    assert terms_of([an_example()]).keys() == {"hard"}
    assert terms_of([an_example()], coeff_hard=0.0, coeff_stae=1.0).keys() == {"stae"}


def test_a_batch_without_anomalies_is_pulled_together_alone() -> None:
    example = an_example()
    plain = example._replace(anomalous=(), touched=None)
    detector = new_detector().eval()
    clean = detector.norm(example.clean)[None]
    with torch.inference_mode():
        d = losses.distance(detector.teacher(clean), detector.student(clean)[:, :CHANNELS])
        expected = losses.collaborative(d.flatten(), torch.empty(0), 2.0).item()
    found = terms_of([plain], coeff_cdo=1.0)["cdo"].item()
    assert found == pytest.approx(expected, rel=0.05)


def test_kept_features_are_the_computed_ones_bit_for_bit() -> None:
    detector = new_detector()
    images = [torch.randn(3, 256, 256) for _ in range(3)]
    room = 2 * CHANNELS * 56 * 56 * 2  # of two
    keeps, never = TeacherFeatures(detector, room), TeacherFeatures(detector, 0)
    first = [keeps.of((i, 0, 0), image) for i, image in enumerate(images)]
    for i, image in enumerate(images):
        assert torch.equal(never.of((i, 0, 0), image), first[i])
        again = image if i == 2 else torch.zeros_like(image)  # what is kept is not computed again
        assert torch.equal(keeps.of((i, 0, 0), again), first[i])
    with torch.inference_mode(), autocast():
        expected = detector.teacher(images[0][None])[0]
    np.testing.assert_allclose(first[0], expected, rtol=1e-3, atol=1e-3)
