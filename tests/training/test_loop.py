"""Training: the statistics, the same again from a seed, and what ends a run."""

import math
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from models.detector import Detector
from models.errors import InputError
from models.geometry import Tiles
from models.images import read_rgb, to_tensor
from tests.training.networks import draw_images, new_detector
from training import step
from training.checkpoint import Checkpoint
from training.history import NAMES, History
from training.loop import run_key, teacher_statistics, train
from training.natural import NaturalTiles
from training.progress import Report
from training.settings import Synthetic, TrainSettings
from training.tiles import TrainingTiles

SETTINGS = TrainSettings(steps=7, checkpoint_every=3)
CUTTING = Tiles(60, 300)  # two tiles an image


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_images(tmp_path_factory.mktemp("parts"), 6, 60, 300)


@pytest.fixture(scope="module")
def tiles(paths: list[Path]) -> TrainingTiles:
    return TrainingTiles(paths[:4], CUTTING)


@pytest.fixture(scope="module")
def held_out(paths: list[Path]) -> TrainingTiles:
    return TrainingTiles(paths[4:], CUTTING)


@pytest.fixture(scope="module")
def natural(paths: list[Path]) -> NaturalTiles:
    return NaturalTiles(paths[0].parent)


def test_statistics_are_over_all_cells_from_their_common_mean(tiles: TrainingTiles) -> None:
    """Not an average over images of each one's own deviation (algorithm 1 as printed)."""
    detector = new_detector()
    before = detector.teacher.net.state_dict()
    seen = []
    with torch.inference_mode():
        for path in tiles.paths:
            cut = CUTTING.cut(to_tensor(read_rgb(path)))
            seen.append(detector.teacher.net(detector.norm(cut)).double())
    features = torch.cat(seen).movedim(1, 0).flatten(1).numpy()
    teacher_statistics(detector, tiles)
    # Their sums are of features in bf16 where the processor has it: 8 bits.
    np.testing.assert_allclose(detector.teacher.mean, features.mean(axis=1), atol=0.01)
    np.testing.assert_allclose(detector.teacher.std, features.std(axis=1), rtol=0.01)
    assert all(torch.equal(v, before[k]) for k, v in detector.teacher.net.state_dict().items())


def nothing(step: int, loss: float) -> None:
    pass


class Trains:
    """Trains new networks, with all that a run can be given."""

    def __init__(
        self, tiles: TrainingTiles, held_out: TrainingTiles, natural: NaturalTiles
    ) -> None:
        self.tiles, self.held_out, self.natural = tiles, held_out, natural

    def __call__(
        self, path: Path, settings: TrainSettings = SETTINGS, progress: Report = nothing
    ) -> tuple[History, Detector]:
        detector = new_detector()
        checkpoint = Checkpoint(path, "key")
        found = train(
            detector, self.tiles, self.held_out, settings, checkpoint, progress, self.natural
        )
        return found, detector


@pytest.fixture(scope="module")
def trained(tiles: TrainingTiles, held_out: TrainingTiles, natural: NaturalTiles) -> Trains:
    return Trains(tiles, held_out, natural)


def assert_equal(a: Detector, b: Detector) -> None:
    for key, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[key]), key


def assert_same(a: History, b: History) -> None:
    assert torch.equal(a.rows.nan_to_num(-1), b.rows.nan_to_num(-1))


def test_a_seed_gives_the_same_bits(trained: Trains, tmp_path: Path) -> None:
    first, one = trained(tmp_path / "a")
    torch.rand(3)  # whatever ran in between
    again, two = trained(tmp_path / "b")
    assert_same(first, again)
    assert len(first) == 7
    assert_equal(one, two)
    other, _ = trained(tmp_path / "c", TrainSettings(steps=7, seed=1))
    assert other.totals != first.totals


EVERYTHING = TrainSettings(
    steps=7,
    batch=2,
    coeff_ood=0.5,
    coeff_cdo=0.5,
    synthetic=Synthetic.PERLIN,
    geometric=True,
    ema=0.9,
    checkpoint_every=3,
)


@pytest.mark.parametrize(
    ("settings", "stop"),
    [(SETTINGS, 2), (SETTINGS, 3), (SETTINGS, 4), (SETTINGS, 7), (EVERYTHING, 4)],
)
def test_a_resumed_run_gives_the_same_bits(
    trained: Trains, tmp_path: Path, settings: TrainSettings, stop: int
) -> None:
    expected, whole = trained(tmp_path / "whole", settings)

    def interrupt(step: int, loss: float) -> None:
        if step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "run", settings, interrupt)
    seen: list[int] = []
    found, resumed = trained(tmp_path / "run", settings, lambda step, loss: seen.append(step))
    assert_same(found, expected)
    assert_equal(resumed, whole)
    assert seen[0] == (stop - 1) // 3 * 3 + 1  # what the last checkpoint held was not done again


def test_a_finished_run_is_not_done_again(trained: Trains, tmp_path: Path) -> None:
    settings = TrainSettings(steps=7, ema=0.5, checkpoint_every=3)
    expected, whole = trained(tmp_path / "run", settings)

    def fail(step: int, loss: float) -> None:
        raise AssertionError(step)

    found, again = trained(tmp_path / "run", settings, fail)
    assert_same(found, expected)
    assert_equal(again, whole)


def test_training_lowers_the_loss_and_leaves_the_teacher(trained: Trains, tmp_path: Path) -> None:
    before = new_detector()
    found, after = trained(
        tmp_path / "run", TrainSettings(steps=60, rate=3e-3, rate_ae=3e-3, hard_ramp=0)
    )
    assert np.mean(found.totals[-10:]) < 0.7 * np.mean(found.totals[:10])
    for key, value in before.teacher.state_dict().items():
        assert torch.equal(after.teacher.state_dict()[key], value)
    assert not after.autoencoder.training
    measured = found.rows[:, NAMES.index("held_out")]
    assert measured.isfinite().nonzero().flatten().tolist() == [49, 59]
    assert measured[59] < measured[49]


def test_student_and_autoencoder_have_rates_of_their_own(trained: Trains, tmp_path: Path) -> None:
    before = new_detector()
    settings = TrainSettings(steps=2, rate=1e-12, rate_ae=1e-2, weight_decay=0)
    _, after = trained(tmp_path / "run", settings)
    for key, value in before.student.state_dict().items():
        torch.testing.assert_close(after.student.state_dict()[key], value, rtol=0, atol=1e-9)
    moved = [
        (after.autoencoder.state_dict()[key] - value).abs().max()
        for key, value in before.autoencoder.state_dict().items()
    ]
    assert min(moved) > 1e-5


def test_the_average_is_what_is_kept(trained: Trains, tmp_path: Path) -> None:
    """An exponential moving average that soon forgets the first weights."""
    weights: list[torch.Tensor] = []

    def note(step: int, loss: float) -> None:
        weights.append(current.detach().clone())

    settings = TrainSettings(steps=5, rate=1e-2, rate_ae=1e-2, ema=0.9)
    detector = new_detector()
    current = detector.student.get_parameter("2.weight")
    average = current.detach().clone()
    checkpoint = Checkpoint(tmp_path / "run", "key")
    train(detector, trained.tiles, trained.held_out, settings, checkpoint, note)
    for steps, weight in enumerate(weights, start=1):
        average = average.lerp(weight, 1 - min(0.9, steps / (steps + 9)))
    torch.testing.assert_close(current.detach(), average)
    assert not torch.allclose(average, weights[-1])


def test_a_run_that_diverges_names_the_step_and_keeps_the_checkpoint(
    trained: Trains, tmp_path: Path
) -> None:
    settings = TrainSettings(steps=30, rate=1e30, rate_ae=1e30, checkpoint_every=1)
    with pytest.raises(InputError) as caught:
        trained(tmp_path / "run", settings)
    said = str(caught.value)
    assert "diverged; lower the rate, which is 1e+30" in said
    kept = Checkpoint(tmp_path / "run", "key").load()
    assert kept is not None
    assert f"step {len(kept['history']) + 1}:" in said
    assert f"; {tmp_path}/run is of before" in said
    assert torch.isfinite(kept["history"][:, 0]).all()
    assert all(bool(value.isfinite().all()) for value in kept["student"].values())


def test_a_checkpoint_is_not_overwritten_by_weights_that_are_not_finite(
    trained: Trains, tmp_path: Path
) -> None:
    """The loss of a step is of the weights before it: it may be finite when they no longer are."""
    detector = new_detector()
    settings = TrainSettings(steps=6, checkpoint_every=2)

    def spoil(step: int, loss: float) -> None:
        if step == 4:
            detector.student.get_parameter("2.bias").data[0] = math.nan

    checkpoint = Checkpoint(tmp_path / "run", "key")
    with pytest.raises(InputError, match="a weight is not finite after step 4: training diverged"):
        train(detector, trained.tiles, trained.held_out, settings, checkpoint, spoil)
    kept = checkpoint.load()
    assert kept is not None
    assert len(kept["history"]) == 2


def test_a_full_disk_leaves_a_checkpoint_to_go_on_from(trained: Trains, tmp_path: Path) -> None:
    expected, whole = trained(tmp_path / "undisturbed")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(step: int, loss: float) -> None:
        if step == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))

    try:
        with pytest.raises(InputError, match=r"run: cannot be written .* the last checkpoint is"):
            trained(tmp_path / "run", progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = Checkpoint(tmp_path / "run", "key").load()
    assert kept is not None
    assert len(kept["history"]) == 3
    found, again = trained(tmp_path / "run")
    assert_same(found, expected)
    assert_equal(again, whole)


def test_a_batch_that_no_memory_holds_is_halved_until_it_fits(
    trained: Trains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator's error, from where an accelerator would raise it."""
    real = step.terms

    def limited(*args: object) -> object:
        if len(args[2]) > 2:  # type: ignore[arg-type]
            raise torch.OutOfMemoryError("no memory")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("training.trainer.terms", limited)
    with pytest.raises(InputError, match=r"batch = 8: .* does not hold it; 2 fits: give --batch 2"):
        trained(tmp_path / "run", TrainSettings(steps=2, batch=8))
    assert not (tmp_path / "run").exists()


def test_a_runs_key_names_all_that_decides_it(paths: list[Path], tiles: TrainingTiles) -> None:
    detector = new_detector()
    key = run_key("whole", tiles, detector, SETTINGS)
    assert key == run_key("whole", TrainingTiles(paths[:4], CUTTING), new_detector(), SETTINGS)
    other, started = new_detector(), new_detector()
    other.teacher.net.get_parameter("2.weight").data += 1
    started.autoencoder.get_parameter("3.bias").data += 1
    keys = {
        key,
        run_key("tiles", tiles, detector, SETTINGS),
        run_key("whole", TrainingTiles(paths[:3], CUTTING), detector, SETTINGS),
        run_key("whole", TrainingTiles(paths[:4], CUTTING, kept=[1]), detector, SETTINGS),
        run_key("whole", tiles, other, SETTINGS),
        run_key("whole", tiles, started, SETTINGS),
        run_key("whole", tiles, detector, SETTINGS, NaturalTiles(paths[0].parent)),
        run_key("whole", tiles, detector, TrainSettings(steps=7, checkpoint_every=3, rate=1e-3)),
    }
    assert len(keys) == 8
