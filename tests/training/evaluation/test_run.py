"""``effad-evaluate run``: what it writes is what networks, masks and thresholds give."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models import bundle as bundles
from models import recipe as recipes
from models.engine import Engine
from models.images import read_rgb, to_tensor
from models.precision import Precision, has_bf16
from models.quantiles import quantile
from models.threshold import threshold
from training.data.good import GoodParts
from training.evaluation.ablation import against_teacher
from training.evaluation.charts import Axes, Line, lines
from training.evaluation.main import main
from training.evaluation.report import html
from training.evaluation.result import Result

HOLD_OUT = 0.5  # as tiny_bundle was trained


def evaluate(bundle: Path, data: Path, out: Path, *more: object) -> Result:
    given = ["run", bundle, data, "--report", out, "--resamples", 100, "--precision", "fp32"]
    assert main([str(word) for word in [*given, "--threads", 1, "--no-sweep", *more]]) == 0
    return Result.read(out.with_suffix(".json"))


def refused(capsys: pytest.CaptureFixture[str], *given: object) -> str:
    """Run the command, which must end in one line and status 2; give what the line says."""
    assert main([str(word) for word in given]) == 2
    stage = re.compile(r"(reading|held out|looking): ")
    lines = [line for line in capsys.readouterr().err.splitlines() if not stage.match(line)]
    assert len(lines) == 1
    assert lines[0].startswith("effad-evaluate: error: ")
    return lines[0].removeprefix("effad-evaluate: error: ")


def test_a_recipe_is_measured_as_the_daemon_uses_it(
    tiny_bundle: Path, tiny_recipe: Path, drawn_data: Path, tmp_path: Path
) -> None:
    found = evaluate(
        tiny_bundle, drawn_data, tmp_path / "r.html", "--recipe", tiny_recipe, "--maps", tmp_path
    )
    recipe = recipes.load(tiny_recipe)
    engine = Engine(recipe.bundle, precision=Precision.FP32, scope=recipe.scope)
    paths = sorted((drawn_data / "test").glob("*/*.png"))
    bad = [path.parent.name != "good" for path in paths]
    scores, maps, masks = [], [], []
    for path in paths:
        fused = recipe.fuse(engine.look_at(to_tensor(read_rgb(path))))
        scores.append(fused.score)
        maps.append(fused.placement.to_pixels(fused.values, (128, 128)).numpy())
        masks.append(marked(drawn_data, path))
    assert [i.image for i in found.images] == [
        path.relative_to(drawn_data).as_posix() for path in paths
    ]
    assert [i.scores["fused"] for i in found.images] == pytest.approx(scores, rel=1e-5)
    fused_map = found.maps["fused"]
    limit = recipe.calibration.threshold
    assert fused_map.threshold == limit
    assert [i.rejected for i in found.images] == [s >= limit for s in scores]
    assert fused_map.images["auroc"].value == pytest.approx(roc_auc_score(bad, scores))
    assert fused_map.pixels["pixel_auroc"].value == pytest.approx(
        roc_auc_score(np.concatenate(masks).ravel(), np.concatenate(maps).ravel()), abs=1e-6
    )
    assert found.maps["local"].threshold is None, "a recipe has one for its alpha alone"
    assert found.maps["local"].images["recall"].reason == "no threshold was set for this map"
    assert found.normal.source == "recipe"
    assert "calibrated on 2 good images" in found.notes[0]
    for path, values in zip(paths, maps, strict=True):
        written = tifffile.imread(tmp_path / path.parent.name / f"{path.stem}.tiff")
        assert written.dtype == np.float32
        np.testing.assert_allclose(written, values, rtol=1e-4, atol=1e-5)


def marked(data: Path, path: Path) -> NDArray[np.bool_]:
    if path.parent.name == "good":
        return np.zeros((128, 128), np.bool_)
    mask = data / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
    found = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return np.asarray(found > 0)


def test_without_a_recipe_what_was_held_out_sets_ranges_and_thresholds(
    tiny_bundle: Path, drawn_data: Path, tiny_result: Path
) -> None:
    found = Result.read(tiny_result)
    held_out = GoodParts.split(drawn_data / "train" / "good", HOLD_OUT, seed=0).held_out
    engine = Engine(bundles.load(tiny_bundle))
    maps = [engine.look_at(to_tensor(read_rgb(path)))["whole"].local for path in held_out]
    q_a, q_b = quantile(torch.stack(maps), 0.9), quantile(torch.stack(maps), 0.995)
    assert found.normal.images == 2
    assert found.normal.ranges["whole"]["local"] == pytest.approx((q_a, q_b), rel=1e-5)
    scores = [float((one.max() - q_a) * (0.1 / (q_b - q_a))) for one in maps]
    assert found.maps["local"].threshold == pytest.approx(threshold(scores, 1 / 3), rel=1e-4)
    assert found.normal.false_reject_rate == 1 / 3
    assert "2 good images that were not trained on" in found.notes[0]
    assert "Of 2 good test images" in found.notes[1]
    assert "0.1 % allows 0, 1 % allows 0, 5 % allows 0" in found.notes[1]

    assert [one.alpha for one in found.alphas] == [n / 10 for n in range(11)]
    for name, at in (("global", 0), ("fused", 5), ("local", 10)):
        assert found.alphas[at].values["auroc"] == found.maps[name].images["auroc"]
        assert found.alphas[at].values["au_pro_0.3"] == found.maps[name].pixels["au_pro_0.3"]
    assert found.alphas[3].values != found.alphas[5].values


def test_the_page_stands_alone_and_shows_its_pictures(tiny_result: Path) -> None:
    found = Result.read(tiny_result)
    page = tiny_result.with_suffix(".html").read_text()
    assert not re.search(r"(src|href)=.(?!data:)", page)
    assert "http" not in page
    assert "<script" not in page
    # 3 missed most, 2 good, the best of 2 types: input, truth and three maps each.
    assert page.count("data:image/jpeg;base64,") == 5 * (3 + 2 + 2)
    assert page.count("<svg") == 7, "ROC, PRO, three histograms, alpha, training"
    assert f"<strong>{found.maps['fused'].images['auroc'].value:.4f}</strong>" in page


def test_training_curves_of_the_bundle_are_drawn(tiny_result: Path) -> None:
    found = Result.read(tiny_result)
    curves = {"whole": [[n, {"hard": 1 / n, "autoencoder": 2 / n}] for n in range(1, 9)]}
    provenance = {**found.bundle.provenance, "curves": curves}
    bundle = found.bundle.model_copy(update={"provenance": provenance})
    page = html(found.model_copy(update={"bundle": bundle}), "")
    assert "Training of whole" in page
    assert page.count("<svg") == 7
    assert ">autoencoder</title>" in page


def test_a_chart_puts_points_where_they_are() -> None:
    """A unit square of axes: 52 to 448 across, 256 up to 10."""
    drawn = lines(Axes((0, 1), (0, 2), "x", "y"), [Line("a", "local", [(0, 0), (0.5, 1), (1, 9)])])
    assert 'points="52.0,256.0 250.0,133.0 448.0,10.0"' in drawn


def test_the_teacher_can_stand_against_the_autoencoder(
    tiny_bundle: Path, drawn_data: Path, tiny_result: Path, tmp_path: Path
) -> None:
    given = ["--global", "teacher-autoencoder"]
    found, plain = (
        evaluate(tiny_bundle, drawn_data, tmp_path / "r.html", *given),
        Result.read(tiny_result),
    )
    assert found.global_map == "teacher-autoencoder"
    assert found.maps["local"].images == plain.maps["local"].images
    bundle = bundles.load(tiny_bundle)
    detector = bundle.detectors["whole"]
    path = drawn_data / "test" / "good" / "020.png"
    tile = bundle.cutting("whole", 128, 128).cut(to_tensor(read_rgb(path)))
    with torch.inference_mode():
        images = detector.norm(tile)
        apart = (detector.teacher(images) - detector.autoencoder(images)).square().mean(dim=1)
        assert torch.allclose(against_teacher(detector)(tile).globally, apart)
    q_a, q_b = found.normal.ranges["whole"]["global"]
    told = next(i for i in found.images if i.image == "test/good/020.png")
    score = (float(apart.max()) - q_a) * 0.1 / (q_b - q_a)
    assert told.scores["global"] == pytest.approx(score, rel=1e-4)
    if has_bf16():  # where the bundle's axes, which are of the student, must not be used
        rough = evaluate(
            tiny_bundle, drawn_data, tmp_path / "b.html", *given, "--precision", "bf16"
        )
        q_a, q_b = rough.normal.ranges["whole"]["global"]
        told = next(i for i in rough.images if i.image == "test/good/020.png")
        score = (float(apart.max()) - q_a) * 0.1 / (q_b - q_a)
        assert told.scores["global"] == pytest.approx(score, rel=0.05)


def test_what_is_wrong_with_the_data_is_told_before_the_minutes_of_looking(
    tiny_bundle: Path, own_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", tiny_bundle, own_data, "--report", tmp_path / "r.html"]
    mask = own_data / "ground_truth" / "spot" / "030_mask.png"
    cv2.imwrite(str(mask), np.zeros((64, 128), np.uint8))
    said = refused(capsys, *run)
    assert said.startswith(f"{mask}: 128 x 64 pixels, but its image 030.png has 128 x 128")
    image = own_data / "test" / "spot" / "030.png"
    image.write_bytes(b"no image")
    assert refused(capsys, *run).startswith(f"{image}: not a readable image")
    for path in GoodParts.split(own_data / "train" / "good", HOLD_OUT, seed=0).held_out:
        path.unlink()
    few = refused(capsys, *run)
    assert "0 of 2 good images beside the test images were not trained on" in few
    assert not (tmp_path / "r.html").exists()


def test_settings_that_do_not_go_together_are_one_line(
    tiny_bundle: Path,
    tiny_recipe: Path,
    own_recipe: Path,
    drawn_data: Path,
    good_parts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run: Sequence[object] = ["run", tiny_bundle, drawn_data, "--report", tmp_path / "r.html"]
    assert "no test images" in refused(capsys, "run", tiny_bundle, good_parts)
    both = refused(capsys, *run, "--recipe", tiny_recipe, "--alpha", 0.3)
    assert both.startswith("--alpha 0.3: the recipe")
    assert "alpha = 2.0: must be from 0 to 1" in refused(capsys, *run, "--alpha", 2)
    assert "resamples = 5" in refused(capsys, *run, "--resamples", 5)
    away = refused(capsys, "run", tiny_bundle, drawn_data, "--report", tmp_path / "no" / "r.html")
    assert away == f"{tmp_path}/no: no such folder; make it, or name another file"
    teacher = refused(capsys, *run, "--recipe", tiny_recipe, "--global", "teacher-autoencoder")
    assert "leave --recipe" in teacher
    other = own_recipe.parent / "bundle" / "manifest.json"
    other.write_text(other.read_text().replace('"created"', '"created" '))
    given = ["run", other.parent, drawn_data, "--report", tmp_path / "r.html"]
    assert "a recipe of bundle" in refused(capsys, *given, "--recipe", tiny_recipe)


def test_test_images_that_were_trained_on_are_told(
    tiny_bundle: Path, own_data: Path, tmp_path: Path
) -> None:
    """Two good images alone: nothing is left to compare, and both facts are told."""
    trained = GoodParts.split(own_data / "train" / "good", HOLD_OUT, seed=0).train[0]
    shutil.copy(trained, own_data / "test" / "good" / "020.png")
    for kind in ("hole", "spot"):
        shutil.rmtree(own_data / "test" / kind)
        shutil.rmtree(own_data / "ground_truth" / kind)
    found = evaluate(tiny_bundle, own_data, tmp_path / "r.html")
    assert "1 test images were trained on: all numbers here are too good." in found.warnings
    assert any(note.startswith("No test image is defective: AUROC") for note in found.warnings)
    assert "none: there is nothing to compare" in (tmp_path / "r.html").read_text()
