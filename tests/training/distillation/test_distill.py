"""Distillation (algorithm 1): a step written out, going on, and stopping."""

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.detector import InputNorm
from models.errors import InputError
from models.pdn import PdnSize, pdn
from tests.training.distillation.conftest import Make
from tests.training.distillation.patches import CHANNELS, Patches
from training.distillation.distill import Distilled, distill
from training.distillation.kept import Window
from training.distillation.targets import WHOLE, Wanted
from training.distillation.views import View


def finished(make: Make, **given: Any) -> Distilled:
    made = distill(make(**given), lambda step, loss: None, lambda made: None)
    assert made is not None
    return made


def weights(made: Distilled) -> dict[str, Tensor]:
    return dict(made.net.state_dict())


@pytest.fixture
def start() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return dict(pdn(PdnSize.SMALL, CHANNELS).state_dict())


def test_steps_written_out(distillation: Make, start: dict[str, Tensor]) -> None:
    """Algorithm 1 in plain fp32: views, windows, standardized features, Adam, running average."""
    made = finished(distillation, start=start, steps=3)
    state = distillation(start=start)
    norm = InputNorm()
    net = pdn(PdnSize.SMALL, CHANNELS)
    net.load_state_dict(start)
    optimizer = torch.optim.Adam(net.parameters(), weight_decay=1e-5)
    mean, std = state._comparison.mean, state._comparison.std
    average = {key: value.clone() for key, value in start.items()}
    losses = []
    for step in range(3):
        optimizer.param_groups[0]["lr"] = 1e-4 * (step + 1) / 50
        wanted = [Wanted(state._views[n], state._window(n)) for n in (2 * step, 2 * step + 1)]
        batch = state._targets.now(wanted)
        target = ((batch.features - mean) / std).permute(0, 3, 1, 2)
        loss = functional.mse_loss(net(norm(batch.tiles)), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        for key, value in net.state_dict().items():
            average[key] += (1 - (step + 1) / (step + 10)) * (value - average[key])
    assert made.losses == pytest.approx(losses, rel=1e-4)
    assert (made.steps, made.views) == (3, 6)
    # Adam divides by a gradient's size: where it is about zero, rounding decides the sign.
    ours, plain, began = (
        torch.cat([v.flatten() for v in w.values()]) for w in (weights(made), average, start)
    )
    assert (ours - plain).norm() < 1e-3 * (plain - began).norm()


def test_the_held_out_loss_is_of_the_teacher_that_is_given(distillation: Make) -> None:
    state = distillation()
    made = distill(state, lambda step, loss: None, lambda made: None)
    assert made is not None
    assert [p.name for p in state._images.held_out] == ["00.png"]
    wanted = [Wanted(View(p, 0, n, 0), WHOLE) for n, p in enumerate(state._images.held_out)]
    expected = state._comparison.mean_loss(made.net, [state._targets.now(wanted)])
    assert made.held_out_loss == pytest.approx(expected, rel=1e-5)


def test_windows_lie_anywhere_and_the_same_each_time(distillation: Make) -> None:
    state = distillation(cells=10)
    windows = [state._window(n) for n in range(300)]
    assert windows == [state._window(n) for n in range(300)]
    assert {w.cells for w in windows} == {10}
    for places in ({w.row for w in windows}, {w.column for w in windows}):
        assert (min(places), max(places)) == (0, 46)
    assert distillation(cells=56)._window(3) == Window(0, 0, 56)


def test_a_resumed_run_gives_the_same_bits(
    distillation: Make, start: dict[str, Tensor], tmp_path: Path
) -> None:
    whole = finished(distillation, start=start, checkpoint=tmp_path / "whole", steps=4)

    class Stopped(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if step == 2:
            raise Stopped

    chosen = {"start": start, "checkpoint": tmp_path / "run", "steps": 4}
    with pytest.raises(Stopped):
        distill(distillation(**chosen), stop, lambda made: None)
    seen: list[int] = []
    resumed = distill(
        distillation(**chosen), lambda step, loss: seen.append(step), lambda made: None
    )
    assert resumed is not None
    assert seen[0] > 1, "it has not begun again"
    assert seen[-1] == 4
    assert resumed.losses == whole.losses
    assert resumed.held_out_loss == whole.held_out_loss
    assert resumed.views == whole.views == 8
    for key, value in weights(whole).items():
        assert torch.equal(weights(resumed)[key], value)


def test_a_run_is_prolonged_with_another_batch(distillation: Make) -> None:
    """It goes on with the views that come next, whatever the batch was."""
    finished(distillation, steps=2, batch=2)
    state = distillation(steps=3, batch=3)
    assert state._views_seen == 4
    made = distill(state, lambda step, loss: None, lambda made: None)
    assert made is not None
    assert (made.steps, made.views, len(made.losses)) == (3, 7, 3)


def test_a_checkpoint_that_does_not_count_views(distillation: Make, tmp_path: Path) -> None:
    """As the first version wrote them."""
    finished(distillation, checkpoint=tmp_path / "run")
    saved = torch.load(tmp_path / "run", weights_only=True)
    del saved["views"]
    torch.save(saved, tmp_path / "run")
    assert distillation(checkpoint=tmp_path / "run", steps=9)._views_seen == 4


def test_a_finished_run_is_not_trained_again(distillation: Make) -> None:
    first = finished(distillation)
    again = finished(distillation)
    assert again.losses == first.losses
    assert all(torch.equal(weights(again)[k], v) for k, v in weights(first).items())


def test_kept_features_give_the_same_teacher(
    distillation: Make, tmp_path: Path, backbone: Patches
) -> None:
    """Within what fp16 rounds; and the second run computes none."""
    chosen: dict[str, Any] = {"views": 1, "steps": 6}
    plain = finished(distillation, checkpoint=tmp_path / "a", **chosen)
    first = finished(distillation, checkpoint=tmp_path / "b", kept=tmp_path / "kept", **chosen)
    seen = backbone.images
    second = finished(distillation, checkpoint=tmp_path / "c", kept=tmp_path / "kept", **chosen)
    assert backbone.images == seen
    assert second.losses == first.losses
    assert first.losses == pytest.approx(plain.losses, rel=1e-3)


def test_snapshots_are_of_their_step(distillation: Make, tmp_path: Path) -> None:
    made: list[Distilled] = []
    chosen: dict[str, Any] = {"snapshots": 2, "checkpoint": tmp_path / "run"}
    distill(distillation(steps=5, **chosen), lambda step, loss: None, made.append)
    assert [m.steps for m in made] == [2, 4]
    assert [len(m.losses) for m in made] == [2, 4]
    # A run that holds its rate and ends there has the same weights.
    short = finished(distillation, steps=2, cooldown=0, checkpoint=tmp_path / "short")
    assert made[0].held_out_loss == short.held_out_loss
    assert all(torch.equal(weights(made[0])[k], v) for k, v in weights(short).items())


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(
    distillation: Make, tmp_path: Path
) -> None:
    finished(distillation, steps=2)
    path = tmp_path / "run.checkpoint"
    good = path.read_bytes()
    state = distillation(steps=6)
    with torch.no_grad():
        next(iter(state._net.parameters()))[0] = float("nan")
    with pytest.raises(InputError, match=r"^the loss is nan at step 3: [^\n]*lower the rate") as e:
        distill(state, lambda step, loss: None, lambda made: None)
    assert str(path) in str(e.value)
    assert path.read_bytes() == good


def test_a_full_disk_keeps_the_last_checkpoint(distillation: Make, tmp_path: Path) -> None:
    finished(distillation, steps=2)
    path = tmp_path / "run.checkpoint"
    good = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, hard))
    try:
        with pytest.raises(InputError):
            distill(distillation(steps=3), lambda step, loss: None, lambda made: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == good
    assert finished(distillation, steps=3).steps == 3


def test_an_unreadable_image_is_named(distillation: Make, natural: Path) -> None:
    state = distillation(steps=20)
    broken = natural / "07.png"
    whole = broken.read_bytes()
    broken.write_bytes(b"no image")
    try:
        with pytest.raises(InputError, match=r"07\.png: not a readable image"):
            distill(state, lambda step, loss: None, lambda made: None)
    finally:
        broken.write_bytes(whole)


@pytest.mark.parametrize("size", PdnSize)
def test_other_networks_and_channels(size: PdnSize, distillation: Make) -> None:
    made = finished(distillation, size=size, steps=1, batch=1)
    assert weights(made).keys() == pdn(size, CHANNELS).state_dict().keys()
    assert len(list(made.net.parameters())[-1]) == CHANNELS
