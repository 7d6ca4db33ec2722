"""Training: the statistics, what is trained by which loss, and the same again from a seed."""

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.detector import Detector, Teacher
from models.errors import InputError
from models.geometry import Tiles
from models.images import read_rgb, to_tensor
from training import losses
from training.checkpoint import Checkpoint
from training.datasets import GoodParts
from training.loop import TrainSettings, run_key, schedule, teacher_statistics, total_loss, train

SETTINGS = TrainSettings(steps=7, checkpoint_every=3)
CHANNELS = 3


def thin_pdn(channels: int) -> nn.Sequential:
    """The PDN's stride and a like reach, cheaply."""
    return nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, channels, 9))


def autoencoder() -> nn.Sequential:
    """As an autoencoder, with dropout, but local."""
    return nn.Sequential(
        nn.AvgPool2d(4), nn.Conv2d(3, 4, 9), nn.Dropout(0.2), nn.Conv2d(4, CHANNELS, 1)
    )


def new_detector() -> Detector:
    torch.manual_seed(5)
    teacher = Teacher(thin_pdn(CHANNELS), CHANNELS).requires_grad_(False)
    return Detector(teacher, thin_pdn(2 * CHANNELS), autoencoder())


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> GoodParts:
    """Six images of 60 x 300 pixels, which make two tiles each."""
    folder = tmp_path_factory.mktemp("parts")
    random = np.random.default_rng(0)
    for place in range(6):
        image = random.integers(0, 60 + 35 * place, (60, 300, 3), np.uint8)
        cv2.imwrite(str(folder / f"{place}.png"), image)
    return GoodParts.split(folder, 0.3, seed=0)


CUTTING = Tiles(60, 300)


def test_statistics_are_over_all_cells_from_their_common_mean(parts: GoodParts) -> None:
    """Not an average over images of each one's own deviation (algorithm 1 as printed)."""
    detector = new_detector()
    before = detector.teacher.net.state_dict()
    seen = []
    with torch.inference_mode():
        for path in parts.train:
            tiles = CUTTING.cut(to_tensor(read_rgb(path)))
            seen.append(detector.teacher.net(detector.norm(tiles)).double())
    features = torch.cat(seen).movedim(1, 0).flatten(1).numpy()
    teacher_statistics(detector, parts, CUTTING)
    # Their sums are of features in bf16 where the processor has it: 8 bits.
    np.testing.assert_allclose(detector.teacher.mean, features.mean(axis=1), atol=0.01)
    np.testing.assert_allclose(detector.teacher.std, features.std(axis=1), rtol=0.01)
    assert all(torch.equal(v, before[k]) for k, v in detector.teacher.net.state_dict().items())


def a_pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.rand(3, 256, 256), torch.rand(3, 256, 256) * 0.2


def loss_of(**coefficients: float) -> float:
    off = {"coeff_hard": 0.0, "coeff_ae": 0.0, "coeff_stae": 0.0}
    settings = TrainSettings(**{**off, **coefficients})  # type: ignore[arg-type]
    return total_loss(new_detector().eval(), *a_pair(), settings).item()


def test_losses_are_of_the_images_that_they_should_be() -> None:
    """The clean image for L_hard, the augmented one for the other two."""
    detector = new_detector().eval()
    clean, augmented = (detector.norm(image)[None] for image in a_pair())
    with torch.inference_mode():
        student_clean = detector.student(clean)[:, :CHANNELS]
        student_other = detector.student(augmented)[:, CHANNELS:]
        predicted = detector.autoencoder(augmented)
        expected = {
            "coeff_hard": losses.hard(detector.teacher(clean), student_clean),
            "coeff_ae": losses.autoencoder(detector.teacher(augmented), predicted),
            "coeff_stae": losses.student_autoencoder(predicted, student_other),
        }
    for name, plain in expected.items():
        assert loss_of(**{name: 1.0}) == pytest.approx(plain.item(), rel=0.05), name
    weighted = sum(w * loss_of(**{n: 1.0}) for w, n in zip((2, 3, 5), expected, strict=True))
    together = loss_of(coeff_hard=2, coeff_ae=3, coeff_stae=5)
    assert together == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize(
    ("coefficient", "first_half", "second_half", "autoencoder"),
    [
        ("coeff_hard", True, False, False),
        ("coeff_ae", False, False, True),
        ("coeff_stae", False, True, True),
    ],
)
def test_each_loss_trains_what_it_should(
    coefficient: str, first_half: bool, second_half: bool, autoencoder: bool
) -> None:
    off = {"coeff_hard": 0.0, "coeff_ae": 0.0, "coeff_stae": 0.0}
    settings = TrainSettings(**{**off, coefficient: 1.0})  # type: ignore[arg-type]
    detector = new_detector()
    detector.teacher.requires_grad_(True)  # even then
    loss = total_loss(detector, *a_pair(), settings)
    loss.backward()  # type: ignore[no-untyped-call]

    def pulled(gradient: Tensor | None) -> bool:
        return gradient is not None and bool(gradient.abs().max() > 0)

    (weight, _) = detector.student.parameters()
    assert weight.grad is not None
    assert pulled(weight.grad[:CHANNELS]) is first_half
    assert pulled(weight.grad[CHANNELS:]) is second_half
    assert all(pulled(p.grad) is autoencoder for p in detector.autoencoder.parameters())
    assert all(p.grad is None for p in detector.teacher.parameters())


def nothing(step: int, loss: float) -> None:
    pass


def trained(
    parts: GoodParts,
    path: Path,
    settings: TrainSettings = SETTINGS,
    progress: Callable[[int, float], None] = nothing,
) -> tuple[list[float], Detector]:
    detector = new_detector()
    found = train(detector, parts, CUTTING, settings, Checkpoint(path, "key"), progress)
    return found, detector


def assert_equal(a: Detector, b: Detector) -> None:
    for key, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[key]), key


def test_a_seed_gives_the_same_bits(parts: GoodParts, tmp_path: Path) -> None:
    first, one = trained(parts, tmp_path / "a")
    torch.rand(3)  # whatever ran in between
    again, two = trained(parts, tmp_path / "b")
    assert first == again
    assert len(first) == 7
    assert_equal(one, two)
    other, _ = trained(parts, tmp_path / "c", TrainSettings(steps=7, seed=1))
    assert other != first


@pytest.mark.parametrize("stop", [2, 3, 4, 7])
def test_a_resumed_run_gives_the_same_bits(parts: GoodParts, tmp_path: Path, stop: int) -> None:
    expected, whole = trained(parts, tmp_path / "whole")

    def interrupt(step: int, loss: float) -> None:
        if step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(parts, tmp_path / "run", progress=interrupt)
    seen: list[int] = []
    found, resumed = trained(parts, tmp_path / "run", progress=lambda step, _: seen.append(step))
    assert found == expected
    assert_equal(resumed, whole)
    assert seen[0] == (stop - 1) // 3 * 3 + 1  # what the last checkpoint held was not done again


def test_a_finished_run_is_not_done_again(parts: GoodParts, tmp_path: Path) -> None:
    expected, whole = trained(parts, tmp_path / "run")

    def fail(step: int, loss: float) -> None:
        raise AssertionError(step)

    found, again = trained(parts, tmp_path / "run", progress=fail)
    assert found == expected
    assert_equal(again, whole)


def test_training_lowers_the_loss_and_leaves_the_teacher(parts: GoodParts, tmp_path: Path) -> None:
    before = new_detector()
    settings = TrainSettings(steps=60, rate=3e-3)
    found, after = trained(parts, tmp_path / "run", settings)
    assert np.mean(found[-10:]) < 0.7 * np.mean(found[:10])
    for key, value in before.teacher.state_dict().items():
        assert torch.equal(after.teacher.state_dict()[key], value)
    assert not after.autoencoder.training


def test_a_run_that_diverges_says_so(parts: GoodParts, tmp_path: Path) -> None:
    settings = TrainSettings(steps=30, rate=1e30)
    with pytest.raises(InputError, match=r"training diverged; lower the rate, which is 1e\+30"):
        trained(parts, tmp_path / "run", settings)


def test_a_runs_key_names_all_that_decides_it(parts: GoodParts) -> None:
    teacher = new_detector().teacher
    key = run_key("whole", parts, teacher, SETTINGS)
    assert key == run_key("whole", parts, new_detector().teacher, SETTINGS)
    other = new_detector().teacher
    other.net.get_parameter("1.weight").data += 1
    fewer = GoodParts(parts.train[1:], parts.held_out, parts.height, parts.width)
    keys = {
        key,
        run_key("tiles", parts, teacher, SETTINGS),
        run_key("whole", fewer, teacher, SETTINGS),
        run_key("whole", parts, other, SETTINGS),
        run_key("whole", parts, teacher, TrainSettings(steps=7, checkpoint_every=3, rate=1e-3)),
    }
    assert len(keys) == 5


def test_the_rate_warms_up_and_comes_down_to_a_hundredth() -> None:
    factors = [schedule(step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(0.01)
    assert max(factors) == pytest.approx(1, abs=0.05)
    assert int(np.argmax(factors)) == 99
    assert factors[-1] == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "steps = 0: must be 1 or more"),
        ({"rate": 0.0}, "rate = 0.0: must be above 0"),
        ({"rate": math.nan}, "rate = nan: must be above 0"),
        ({"seed": -1}, "seed = -1: must be 0 or more"),
    ],
)
def test_settings_that_no_run_can_have(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrainSettings(**settings)  # type: ignore[arg-type]
