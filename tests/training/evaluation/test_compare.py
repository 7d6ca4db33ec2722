"""``effad-evaluate compare``: means over seeds, paired differences, and tables of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.evaluation.bootstrap import Bootstrap, Parts
from training.evaluation.comparison import Contender, compare
from training.evaluation.main import main
from training.evaluation.result import Result

HOW = Bootstrap(resamples=200, seed=5)
Content = dict[str, Any]


def changed(source: Path, target: Path, change: Callable[[Content], object]) -> Path:
    content = json.loads(source.read_text())
    change(content)
    target.write_text(json.dumps(content))
    return target


def shuffled(seed: int) -> Callable[[Content], None]:
    """Give the fused map other scores, and the AUROC that they have."""

    def change(content: Content) -> None:
        images = content["images"]
        bad = np.array([image["defect"] is not None for image in images])
        scores = np.random.default_rng(seed).random(len(images)) + 0.4 * bad
        for image, score in zip(images, scores, strict=True):
            image["scores"]["fused"] = float(score)
        auroc = content["maps"]["fused"]["images"]["auroc"]
        auroc["value"] = float(roc_auc_score(bad, scores))

    return change


def settings(**values: object) -> Callable[[Content], None]:
    return lambda content: content["bundle"]["provenance"]["settings"].update(values)


def test_a_difference_and_its_interval_are_paired(tiny_result: Path, tmp_path: Path) -> None:
    """Against a loop over draws, with scikit-learn's AUROC of the drawn images."""
    files = [changed(tiny_result, tmp_path / f"{n}.json", shuffled(n)) for n in range(4)]
    first, *seeds = (Result.read(file) for file in files)
    rows = compare([Contender("a", (first,)), Contender("b", tuple(seeds))], HOW, ["fused"])
    bad = np.array([image.defect is not None for image in first.images])
    scores = [[i.scores["fused"] for i in result.images] for result in (first, *seeds)]
    plain = [float(roc_auc_score(bad, values)) for values in scores]
    cell = rows[1].cells["auroc"]
    assert (rows[1].name, rows[1].seeds, rows[1].map) == ("b", 3, "fused")
    assert cell.mean == pytest.approx(np.mean(plain[1:]))
    assert cell.spread == pytest.approx(np.std(plain[1:], ddof=1))
    assert cell.difference == pytest.approx(np.mean(plain[1:]) - plain[0])
    assert rows[0].cells["auroc"].difference is None

    parts = Parts.of([image.part for image in first.images], bad)
    differences = []
    for drawn in parts.resampled(HOW)[:, parts.of_image]:
        found = [roc_auc_score(bad, values, sample_weight=drawn) for values in scores]
        differences.append(np.mean(found[1:]) - found[0])
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (cell.low, cell.high) == pytest.approx((low, high), abs=1e-9)


def test_au_pro_is_compared_image_by_image(tiny_result: Path, tmp_path: Path) -> None:
    """A run whose fused map is the other's local map differs as the two maps do."""

    def other_map(content: Content) -> None:
        content["maps"]["fused"] = content["maps"]["local"]

    first = Result.read(tiny_result)
    other = Result.read(changed(tiny_result, tmp_path / "b.json", other_map))
    rows = compare([Contender("a", (first,)), Contender("b", (other,))], HOW, ["local", "fused"])
    same, cell = rows[1].cells["au_pro_0.3"], rows[3].cells["au_pro_0.3"]
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    local, fused = (first.maps[name].pixels["au_pro_0.3"].value for name in ("local", "fused"))
    assert local is not None
    assert fused is not None
    assert cell.difference == pytest.approx(local - fused)
    assert cell.low is not None
    assert cell.high is not None
    assert cell.low - 1e-3 <= local - fused <= cell.high + 1e-3


def test_other_test_images_have_no_difference(
    tiny_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def other_image(content: Content) -> None:
        content["images"][0]["image"] = "test/good/999.png"

    other = changed(tiny_result, tmp_path / "b.json", other_image)
    rows = compare(
        [Contender("a", (Result.read(tiny_result),)), Contender("b", (Result.read(other),))],
        HOW,
        ["fused"],
    )
    assert rows[1].cells["auroc"].mean == rows[0].cells["auroc"].mean
    assert rows[1].cells["auroc"].difference is None
    assert main(["compare", str(tiny_result), f"b={tiny_result},{other}"]) == 2
    assert "b: its results are not of the same test images" in capsys.readouterr().err


def test_tables_name_what_differs_and_a_chart_goes_over_it(
    tiny_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []
    for n, weight in enumerate((0.0, 0.5, 1.0)):
        seeds = [
            changed(tiny_result, tmp_path / f"{n}{seed}.json", settings(coeff=weight, seed=seed))
            for seed in (0, 1)
        ]
        given.append(f"penalty {weight}=" + ",".join(map(str, seeds)))
    out = [tmp_path / name for name in ("t.md", "t.html", "t.json")]
    options = ["--markdown", str(out[0]), "--html", str(out[1]), "--json", str(out[2])]
    assert main(["compare", *given, *options, "--over", "coeff", "--resamples", "100"]) == 0
    lines = out[0].read_text().splitlines()
    assert lines[0].startswith("| run | seeds | coeff | map | image AUROC | AU-PRO (0.3) |")
    assert len([line for line in lines if line.startswith("| penalty")]) == 9
    assert "| penalty 0.5 | 2 | 0.5 | student (local) |" in lines[3]
    first = Result.read(tmp_path / "00.json").maps["local"].images["auroc"].value
    assert first is not None
    assert f"{100 * first:.2f} ± 0.00, +0.00 (0.00 to 0.00)" in lines[3]
    page = out[1].read_text()
    assert page.count("<svg") == 2
    assert page.count("<circle") == 2 * 3 * 3
    rows = json.loads(out[2].read_text())["rows"]
    assert [row["settings"]["coeff"] for row in rows[:3]] == ["0.0", "0.5", "1.0"]
    capsys.readouterr()
    assert main(["compare", *given, "--over", "rate"]) == 2
    assert "--over rate: no setting that differs; those that do are: coeff" in (
        capsys.readouterr().err
    )


def test_bundles_are_measured_on_the_way(
    tiny_bundle: Path, drawn_data: Path, tiny_result: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.json"
    given = [f"now={tiny_bundle}", f"then={tiny_result}", "--data", str(drawn_data)]
    more = ["--json", str(out), "--precision", "fp32", "--threads", "1", "--map", "fused"]
    assert main(["compare", *given, *more, "--resamples", "100"]) == 0
    now, then = json.loads(out.read_text())["rows"]
    assert now["cells"]["auroc"]["mean"] == then["cells"]["auroc"]["mean"]
    assert then["cells"]["au_pro_0.3"]["difference"] == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_compared_is_one_line(
    tiny_bundle: Path, tiny_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*given: object) -> str:
        assert main(["compare", *map(str, given)]) == 2
        return capsys.readouterr().err

    assert "name the data set to measure it on with --data" in refused(tiny_bundle)
    assert "two runs are named" in refused(tiny_result, tiny_result)
    assert f"{tmp_path}: neither a result" in refused(tmp_path)
    assert "names no result" in refused("a=")
    shutil.copy(tiny_bundle / "manifest.json", tmp_path / "no.json")
    assert "no.json: " in refused(tmp_path / "no.json")
    newer = changed(tiny_result, tmp_path / "new.json", lambda c: c.update(format=2))
    assert "format 2 is newer than this effad" in refused(newer)
