"""A training that starts from another bundle starts with what that knows."""

import shutil
from pathlib import Path

import pytest
import torch

from models import bundle as bundles
from models.detector import build_detector, build_teacher
from models.errors import InputError
from models.pdn import PdnSize
from models.weights import write_weights
from training.run import load_teacher
from training.warm_start import WarmStart


def test_it_predicts_the_same_features_in_the_new_normalization(
    tiny_bundle: Path, teacher_file: Path
) -> None:
    teacher, size, _ = load_teacher(teacher_file)
    detector = build_detector(teacher, size).eval()
    start = WarmStart.read(tiny_bundle, teacher, ("whole",))
    torch.manual_seed(0)
    detector.teacher.set_statistics(torch.randn(384), torch.rand(384) + 0.5)
    start.apply(detector, "whole")
    old = bundles.load(tiny_bundle).detectors["whole"]
    tile = torch.rand(1, 3, 256, 256)

    def raw(features: torch.Tensor, of: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return features * by.view(-1, 1, 1) + of.view(-1, 1, 1)

    with torch.inference_mode():
        images = detector.norm(tile)
        for new_net, old_net, times in (
            (detector.student, old.student, 2),
            (detector.autoencoder, old.autoencoder, 1),
        ):
            mean, std = detector.teacher.mean.repeat(times), detector.teacher.std.repeat(times)
            its_mean, its_std = old.teacher.mean.repeat(times), old.teacher.std.repeat(times)
            found = raw(new_net(images), mean, std)
            expected = raw(old_net(images), its_mean, its_std)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_another_teacher_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    teacher = build_teacher(PdnSize.SMALL)
    with pytest.raises(InputError, match="bundle: was trained with another teacher"):
        WarmStart.read(tiny_bundle, teacher, ("whole",))
    thin = tmp_path / "thin.safetensors"
    write_weights(thin, dict(build_teacher(PdnSize.SMALL, 8).net.state_dict()), {})
    with pytest.raises(InputError, match="bundle: was trained with another teacher"):
        WarmStart.read(tiny_bundle, load_teacher(thin)[0], ("whole",))


def test_a_missing_scale_is_refused(tiny_bundle: Path, teacher_file: Path) -> None:
    teacher, _, _ = load_teacher(teacher_file)
    with pytest.raises(InputError, match="has no scale tiles, but whole"):
        WarmStart.read(tiny_bundle, teacher, ("whole", "tiles"))


def test_a_damaged_bundle_is_refused(tiny_bundle: Path, teacher_file: Path, tmp_path: Path) -> None:
    copied = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, copied)
    (copied / "whole.student.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"student\.safetensors: SHA-256"):
        WarmStart.read(copied, load_teacher(teacher_file)[0], ("whole",))
