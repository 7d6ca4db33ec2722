"""Distillation (algorithm 1): the statistics, what is compared with what, and going on."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from models.detector import InputNorm
from models.errors import InputError
from models.images import read_rgb, to_tensor
from models.pdn import PdnSize, pdn
from training.checkpoint import Checkpoint
from training.distill import Distilled, DistillSettings, distill, half, view
from training.statistics import channel_statistics

torch.manual_seed(3)
#: (N, 3, 512, 512) to (N, 384, 64, 64), as a backbone does.
BACKBONE = nn.Conv2d(3, 384, 8, stride=8).requires_grad_(False)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("natural")
    random = np.random.default_rng(0)
    for place in range(2):
        small = random.integers(0, 256, (9, 12, 3), np.uint8)
        cv2.imwrite(str(folder / f"{place}.png"), cv2.resize(small, (120, 90)))
    return folder


def run(
    images: Path,
    checkpoint: Path,
    progress: Callable[[int, float], None],
    start: dict[str, Tensor] | None = None,
) -> Distilled:
    chosen = DistillSettings(images, batch=1, steps=2, checkpoint_every=1)
    return distill(chosen, BACKBONE, start, Checkpoint(checkpoint, "key"), progress)


def nothing(step: int, loss: float) -> None:
    pass


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(32, 150), st.integers(32, 150))
def test_a_view_is_a_square_of_the_image(seed: int, height: int, width: int) -> None:
    image = torch.rand(3, height, width)
    found = view(image, np.random.default_rng(seed))
    assert found.shape == (3, 512, 512)
    assert image.min() - 1e-5 <= found.min() <= found.max() <= image.max() + 1e-5
    assert torch.equal(found, view(image, np.random.default_rng(seed)))


def test_statistics_are_of_all_cells_from_their_common_mean() -> None:
    """Three batches of unequal size and level; an average of each one's own would be off."""
    torch.manual_seed(0)
    batches = [torch.randn(n, 3, 512, 512) * scale + scale for n, scale in [(1, 1), (2, 4)]]
    mean, std = channel_statistics(BACKBONE(batch) for batch in batches)
    features = torch.cat([BACKBONE(batch) for batch in batches]).movedim(1, 0).flatten(1)
    plain = features.numpy().astype(np.float64)
    np.testing.assert_allclose(mean, plain.mean(axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(std, plain.std(axis=1), rtol=1e-9)


def test_the_teacher_gets_half_the_backbones_input() -> None:
    images = torch.rand(1, 3, 512, 512)
    plain = images.reshape(1, 3, 256, 2, 256, 2).mean(dim=(3, 5))
    torch.testing.assert_close(half(images), plain)


def test_the_loss_is_of_standardized_features(images: Path, tmp_path: Path) -> None:
    """Written out for the first step; within what bf16 rounds."""
    reported: list[float] = []
    made = run(images, tmp_path / "run", lambda _, loss: reported.append(loss))
    norm = InputNorm()
    paths = sorted(images.iterdir())

    def load(path: Path, stream: int) -> Tensor:
        seen: Tensor = norm(view(to_tensor(read_rgb(path)), np.random.default_rng((0, stream))))
        return seen[None]

    features = torch.cat([BACKBONE(load(path, i)) for i, path in enumerate(paths)])
    cells = features.movedim(1, 0).flatten(1)
    mean, std = (v.view(-1, 1, 1) for v in (cells.mean(dim=1), cells.std(dim=1, correction=0)))
    torch.manual_seed(0)
    net = pdn(PdnSize.SMALL, padding=True)
    with torch.inference_mode():
        losses = [
            functional.mse_loss(net(half(load(p, 1))), (BACKBONE(load(p, 1)) - mean) / std).item()
            for p in paths
        ]
    assert reported[0] in [pytest.approx(loss, rel=0.02) for loss in losses]
    assert made.loss == pytest.approx(np.mean(reported))
    assert 0 < made.held_out_loss < 100
    assert (made.images, made.steps) == (2, 2)


def test_a_resumed_run_gives_the_same_bits(images: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = dict(pdn(PdnSize.SMALL).state_dict())
    whole = run(images, tmp_path / "whole", nothing, start)

    def interrupt(step: int, loss: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(images, tmp_path / "run", interrupt, start)
    seen: list[int] = []
    resumed = run(images, tmp_path / "run", lambda step, _: seen.append(step), start)
    assert seen == [2]
    assert (resumed.loss, resumed.held_out_loss) == (whole.loss, whole.held_out_loss)
    for key, value in whole.net.state_dict().items():
        assert torch.equal(resumed.net.state_dict()[key], value)
        assert not torch.equal(start[key], value)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images here"):
        run(tmp_path, tmp_path / "run", nothing)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"rate": -1.0}, {"seed": -1}])
def test_settings_that_no_run_can_have(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be"):
        DistillSettings(Path(), **wrong)  # type: ignore[arg-type]
