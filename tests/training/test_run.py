"""What a run writes of itself into the bundle."""

from pathlib import Path

import pytest
import torch

from models import bundle as bundles
from models.bundle import Bundle
from models.errors import InputError
from models.images import brightness, find_images, read_rgb, sharpness, to_tensor
from models.quantiles import quantile
from models.weights import read_weights
from training.datasets import GoodParts, digest
from training.run import PROBABILITIES, Run, load_teacher, run


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
    settings, loss = made["settings"], made["loss"]
    assert isinstance(settings, dict)
    assert settings["steps"] == 1
    assert isinstance(loss, dict)
    assert isinstance(loss["whole"], float)
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
