"""What a run writes of itself into the bundle."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from daemon.simulator.parts import draw
from models import bundle as bundles
from models.bundle import Bundle
from models.calibration import RawMaps
from models.engine import Engine
from models.errors import InputError
from models.geometry import Box
from models.images import brightness, find_images, read_rgb, sharpness, to_tensor
from models.precision import Precision
from models.quantiles import quantile
from models.reduced import Reduced
from models.scope import Scope
from models.weights import read_weights
from training.data.good import GoodParts, digest
from training.publish import keeps
from training.reference import PROBABILITIES
from training.run import Run, checked_parts, load_teacher, run, training_tiles
from training.settings import TrainSettings


@pytest.fixture(scope="module")
def trained(tiny_bundle: Path) -> Bundle:
    return bundles.load(tiny_bundle)


@pytest.fixture(scope="module")
def parts(good_parts: Path) -> GoodParts:
    return GoodParts.split(good_parts, 0.5, seed=0)


def test_only_what_was_trained_on_is_listed(trained: Bundle, parts: GoodParts) -> None:
    assert trained.manifest.trained_on == tuple(sorted(digest(p) for p in parts.train))
    assert not {digest(p) for p in parts.held_out} & set(trained.manifest.trained_on)


def test_the_reference_is_a_held_out_frame_with_the_files_own_maps(
    trained: Bundle, parts: GoodParts
) -> None:
    frame = to_tensor(read_rgb(parts.held_out[0]))
    assert torch.equal(trained.reference, frame)
    with torch.inference_mode():
        maps = trained.detectors["whole"](bundle_tile(trained))
    torch.testing.assert_close(
        maps.local[0], trained.reference_maps["whole"].local, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        maps.globally[0], trained.reference_maps["whole"].globally, rtol=1e-4, atol=1e-5
    )


def bundle_tile(bundle: Bundle) -> torch.Tensor:
    height, width = bundle.reference.shape[-2:]
    return bundle.cutting("whole", height, width).cut(bundle.reference)


def test_the_training_reference_describes_the_held_out_frames(
    trained: Bundle, parts: GoodParts
) -> None:
    found = trained.manifest.training_reference
    frames = [to_tensor(read_rgb(p)) for p in parts.held_out]
    light, focus = [brightness(f) for f in frames], [sharpness(f) for f in frames]
    assert found.frames == len(frames) == 2
    assert found.brightness[0] == pytest.approx(sum(light) / 2)
    assert found.brightness[1] == pytest.approx(abs(light[0] - light[1]) / 2, abs=1e-9)
    assert found.sharpness[0] == pytest.approx(sum(focus) / 2)
    assert found.probabilities == PROBABILITIES
    assert list(found.local["whole"]) == sorted(found.local["whole"])
    # The reference frame is one of the two: their maximum is not below its own.
    local = trained.reference_maps["whole"].local.numpy()
    assert found.local["whole"][-1] >= quantile(local, 1) * 0.999


def test_the_manifest_tells_how_it_was_made(trained: Bundle, teacher_file: Path) -> None:
    made = trained.manifest.provenance
    assert made["teacher"] == teacher_file.name
    assert made["images"] == made["held_out"] == 2
    settings, loss, curves = made["settings"], made["loss"], made["curves"]
    assert isinstance(settings, dict)
    assert settings["steps"] == 1
    assert isinstance(loss, dict)
    assert isinstance(loss["whole"], float)
    assert isinstance(curves, dict)
    curve = curves["whole"]
    assert isinstance(curve, list)
    assert isinstance(curve[0], list)
    step, losses = curve[0]
    assert (step, len(curve)) == (1, 1)
    assert isinstance(losses, dict)
    assert losses.keys() == {"total", "hard", "ae", "stae", "held_out"}
    assert losses["total"] == pytest.approx(loss["whole"], abs=1e-3)
    assert made["start"] is None
    assert made["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    teacher, _ = read_weights(trained.path / trained.manifest.teacher.name)
    net, size, provenance = load_teacher(teacher_file)
    assert size is trained.manifest.pdn
    assert provenance == {"made": "at random"}
    assert not any(p.requires_grad for p in net.parameters())
    for key, value in net.net.state_dict().items():
        assert torch.equal(teacher[f"net.{key}"], value)
    assert (teacher["std"] != 1).any()


def test_checkpoints_are_removed_after_the_bundle_is_written(tiny_bundle: Path) -> None:
    assert not tiny_bundle.with_name("bundle.checkpoints").exists()


def test_a_checkpoint_of_other_settings_is_refused(
    good_parts: Path, teacher_file: Path, tmp_path: Path
) -> None:
    work = tmp_path / "bundle.checkpoints"
    work.mkdir()
    torch.save({"settings": "another run's", "losses": []}, work / "whole")
    with pytest.raises(InputError, match=r"whole: checkpoint of a run with other settings"):
        run(Run(good_parts, tmp_path / "bundle", teacher_file, hold_out=0.5))
    assert not (tmp_path / "bundle").exists()
    assert len(find_images(good_parts)) == 4


def test_a_run_goes_on_from_another_bundle(
    good_parts: Path, teacher_file: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Hardly trained, its student is that of before, and not a random one."""
    frozen = TrainSettings(steps=1, rate=1e-12, rate_ae=1e-12, weight_decay=0.0)
    plan = Run(good_parts, tmp_path / "next", teacher_file, hold_out=0.5, train=frozen, thin=False)
    manifest = run(replace(plan, start=tiny_bundle))
    old, new = (bundles.load(path) for path in (tiny_bundle, tmp_path / "next"))
    assert not new.reduced, "layers stay whole where thin ones are not wished"
    assert manifest.provenance["start"] == {"bundle": "bundle", "sha256": old.sha256}
    for key, value in old.detectors["whole"].student.state_dict().items():
        found = new.detectors["whole"].student.state_dict()[key]
        # The teacher's statistics are those of before, rounded to fp16. Random weights differ by
        # 0.03.
        torch.testing.assert_close(found, value, rtol=0, atol=3e-3)


def test_a_loss_on_natural_images_needs_them(
    good_parts: Path, teacher_file: Path, tmp_path: Path
) -> None:
    settings = TrainSettings(steps=1, coeff_ood=1.0)
    with pytest.raises(InputError, match=r"coeff_ood needs natural images: .* --natural"):
        run(Run(good_parts, tmp_path / "b", teacher_file, train=settings))


def test_a_region_that_leaves_the_frame_is_refused(
    good_parts: Path, teacher_file: Path, tmp_path: Path
) -> None:
    box = Box(x=100, y=0, width=32, height=100)
    with pytest.raises(InputError, match="leaves the frame of 128 x 128"):
        run(Run(good_parts, tmp_path / "b", teacher_file, region=box))


def test_region_and_mask_decide_the_tiles(parts: GoodParts) -> None:
    """Of frames that would be two tiles wide, with the right one masked, but for its rim."""
    wide = replace(parts, height=300, width=560)
    mask = np.zeros((300, 560), bool)
    mask[:, 230:] = True
    box = Box(x=4, y=20, width=540, height=220)
    for scope, kept in (
        (Scope(), (0, 1, 2, 3, 4, 5)),
        (Scope(region=box), (0, 1, 2)),
        (Scope(region=box, ignored=mask), (0, 1)),
    ):
        found = training_tiles(wide.train, "tiles", wide, scope)
        assert tuple(found.kept) == kept
        cutting, region, _ = found.geometry
        assert region == scope.region
        size = (300, 560) if scope.region is None else (220, 540)
        assert (cutting.height, cutting.width) == size


def test_images_of_different_sizes_are_only_taken_on_request(
    good_parts: Path, teacher_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "good"
    shutil.copytree(good_parts, images)
    cv2.imwrite(str(images / "other.png"), draw(99, size=140).image)
    plan = Run(images, tmp_path / "b", teacher_file)
    with pytest.raises(InputError, match="all images of a camera must have one size"):
        checked_parts(plan)
    with pytest.raises(InputError, match=r"different sizes .* whole alone"):
        checked_parts(replace(plan, scales=("whole", "tiles"), any_size=True))
    found = checked_parts(replace(plan, any_size=True))
    assert (found.height, found.width) == (128, 128)
    assert len(found.train) + len(found.held_out) == 5
    assert "warning: 1 image of another size" in capsys.readouterr().err


def test_engines_of_a_run_are_thin_and_near_enough(trained: Bundle) -> None:
    assert isinstance(trained.reduced["whole"], Reduced)
    weights = sum(p.numel() for p in trained.reduced["whole"].parameters())
    detector = trained.detectors["whole"]
    whole = sum(p.numel() for net in (detector, detector.teacher) for p in net.parameters())
    assert weights < whole
    assert 0 < Engine(trained, precision=Precision.REDUCED).verify() < 0.05


def test_thin_networks_that_no_engine_would_take_are_left_out(
    trained: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    thin, maps = trained.reduced["whole"], trained.reference_maps["whole"]
    placement = Engine(trained).look_at(trained.reference)["whole"].placement
    raw = RawMaps(maps.local, maps.globally, placement)
    assert keeps(thin, "whole", trained.reference, raw)
    assert capsys.readouterr().err == ""
    assert not keeps(thin, "whole", trained.reference, raw._replace(local=1.2 * raw.local))
    assert "thin networks' maps are off by 16" in capsys.readouterr().err
