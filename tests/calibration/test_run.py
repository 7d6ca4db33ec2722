"""``effad-calibrate run``: what is written, when it is active, and what stops it."""

import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch import Tensor

from calibration.acceptance.answer import Acceptance, Answer
from calibration.crew import EnginePlan
from calibration.fastest import fastest
from calibration.main import main
from calibration.running import Running
from calibration.sources.folder import FolderSource
from daemon.inspection.inspectors import make_judging
from daemon.settings import EngineSettings
from daemon.simulator.parts import draw
from models import bundle as bundles
from models import recipe as recipes
from models import recipe_store as store
from models.backend import Backend
from models.calibration import RawMaps
from models.engine import Engine
from models.errors import InputError
from models.images import read_rgb
from models.pixel_format import PixelFormat
from models.precision import Precision
from models.recipe_record import Recipe
from models.scope import Scope
from models.threshold import Method
from tests.calibration import command
from tests.calibration.shown_frames import answering
from tests.conftest import SIZE, needs_openvino
from tests.models.thin import write_bundle


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle, good images and a recipe of version 1; not to be changed."""
    folder = tmp_path_factory.mktemp("line")
    write_bundle(folder / "bundle", draw(9, size=SIZE).image, ("whole",))
    (folder / "good").mkdir()
    for seed in range(4):
        paint(folder / "good" / f"{seed}.png", seed)
    assert calibrate(folder / "recipe", folder, "--bundle", folder / "bundle") == 0
    return folder


@pytest.fixture
def recipe(line: Path, tmp_path: Path) -> Path:
    """A copy of the recipe, and of its bundle, that a test may change."""
    shutil.copytree(line / "bundle", tmp_path / "line" / "bundle")
    return shutil.copytree(line / "recipe", tmp_path / "line" / "recipe")


@pytest.fixture(autouse=True)
def accepted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare most tests the 24 looks at synthetic defects; those that ask for ``really`` do it."""
    if "really" not in request.fixturenames:
        answering(monkeypatch, Answer.RECALIBRATED)


@pytest.fixture
def really() -> None:
    """Ask for the real acceptance."""


def paint(path: Path, seed: int) -> None:
    cv2.imwrite(str(path), draw(seed, size=SIZE).image[..., ::-1])


def calibrate(recipe: Path, line: Path, *more: object, yes: bool = True) -> int:
    return command.calibrate(recipe, line / "good", *more, yes=yes)


def test_acceptance_is_told_and_written(
    recipe: Path,
    line: Path,
    tmp_path: Path,
    really: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--json", tmp_path / "found.json", "--report", tmp_path / "found.html"]
    assert calibrate(recipe, line, *words) == 0
    found = Acceptance.read(tmp_path / "found.json")
    assert found.frames == 4
    assert f"{found.answer}: {found.answer.says[:20]}" in capsys.readouterr().out
    assert found.answer in (tmp_path / "found.html").read_text()


@pytest.mark.parametrize("answer", [Answer.RECALIBRATED, Answer.LIGHTING_CHANGED])
def test_only_recalibrated_is_activated_without_yes(
    recipe: Path,
    line: Path,
    answer: Answer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answering(monkeypatch, answer)
    good = answer is Answer.RECALIBRATED
    assert calibrate(recipe, line, yes=False) == (0 if good else 1)
    assert store.versions(recipe) == (1, 2)
    assert store.active(recipe) == (2 if good else 1)
    said = capsys.readouterr().out
    assert f"{answer}: " in said
    assert ("not active" in said) == (not good)
    if good:
        assert store.history(recipe)[-1].why == "RECALIBRATED"
    else:
        assert f"effad-recipe activate {recipe} --version 2" in said
        assert calibrate(recipe, line) == 0
        assert store.active(recipe) == 3
    assert recipes.load(recipe).calibration.frames == 4


def test_a_dry_run_writes_nothing(
    recipe: Path, line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in recipe.iterdir() if path.name != ".lock"}
    assert calibrate(recipe, line, "--dry-run") == 0
    after = {path: path.read_bytes() for path in recipe.iterdir() if path.name != ".lock"}
    assert before == after
    assert "nothing was written (--dry-run)" in capsys.readouterr().out
    assert calibrate(tmp_path / "new", line, "--bundle", line / "bundle", "--dry-run") == 0
    assert not (tmp_path / "new").exists()


def test_another_alpha_takes_no_frames(
    recipe: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(recipe), "--alpha", "0.3", "--target-false-reject", "0.4"]) == 0
    assert "from the scores that were kept of 4 frames" in capsys.readouterr().out
    assert store.active(recipe) == 2
    kept = recipes.load(recipe).calibration
    assert calibrate(recipe, line, "--target-false-reject", 0.4) == 0
    assert recipes.load(recipe).recipe.alpha == 0.3
    assert recipes.load(recipe).calibration == kept
    for words, said in (
        (["--alpha", "0.35"], "alpha = 0.35: scores are kept for 0, 0.1"),
        (["--alpha", "0.3", "--mode", "whole"], "--mode: takes frames; show good parts"),
        ([], "nothing to calibrate by; show good parts"),
    ):
        assert main(["run", str(recipe), *words]) == 2
        assert said in capsys.readouterr().err
    assert store.active(recipe) == 3


def test_defects_shown_as_well_are_told_of(
    recipe: Path, line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = draw(1, size=SIZE).image
    bad[40:90, 40:90] = 255
    (tmp_path / "bad").mkdir()
    cv2.imwrite(str(tmp_path / "bad" / "x.png"), bad)
    assert calibrate(recipe, line, "--labelled", tmp_path / "bad") == 0
    found = recipes.load(recipe).calibration.made
    assert found.method is Method.RECALL
    assert found.reached is not None
    assert found.reached.defects == 1
    assert "defects are found" in capsys.readouterr().out


@needs_openvino
def test_a_recipe_names_the_backend_that_judges(recipe: Path, line: Path) -> None:
    assert calibrate(recipe, line, "--backend", "openvino") == 0
    loaded = recipes.load(recipe)
    assert loaded.calibration.backend is Backend.OPENVINO
    assert loaded.calibration.engine.startswith("openvino-")
    judging = make_judging(EngineSettings(threads=1), "nut", loaded)
    assert judging.engine == loaded.calibration.engine, "the daemon's is the one that was measured"
    maps = judging.inspectors[0].engine.look(read_rgb(line / "good" / "0.png"), PixelFormat.RGB8)
    assert loaded.fuse(maps).score in loaded.calibration.scores


@needs_openvino
def test_the_fastest_backend_is_measured(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each looks at no frame in turn, so that it must be taken."""
    plan = EnginePlan(line / "bundle", "cpu", Precision.FP32, 1, Scope())
    bundle = bundles.load(plan.bundle)
    look_at = Engine.look_at
    for idle in Backend:

        def look(engine: Engine, rgb: Tensor, idle: Backend = idle) -> dict[str, RawMaps]:
            return {} if engine.fingerprint.startswith(idle) else look_at(engine, rgb)

        monkeypatch.setattr(Engine, "look_at", look)
        taken, engine, said = fastest(plan, bundle)
        assert taken is idle
        assert engine.fingerprint.startswith(idle)
        assert said.endswith(f" ms: {idle} is taken")
    monkeypatch.setattr("calibration.fastest.backends", lambda device: (Backend.TORCH,))
    taken, _, said = fastest(plan, bundle)
    assert (taken, said) == (Backend.TORCH, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tail"], "--tail: name the rate that it is for with --target-false-reject R"),
        (
            ["--tail", "--target-false-reject", "1e-3"],
            "4 good parts: a tail fit takes at least 200",
        ),
        (["--best-f1"], "--best-f1: show defects as well with --labelled FOLDER"),
        (["--cost-ratio", "3"], "--cost-ratio: show defects as well with --labelled FOLDER"),
        (["--processes", "0"], "processes = 0: must be 1 or more"),
        (["--frames", "1"], "--frames 1: must be 2 or more"),
        (["--leave-out", "9.png"], "9.png: no frame or part of that name was shown"),
        (["--from-version", "7"], "there is no version 7"),
        (["--labelled", "/none"], "/none: no such folder"),
    ],
)
def test_what_does_not_go_together_is_refused(
    recipe: Path, line: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(recipe, line, *words) == 2
    found = capsys.readouterr().err
    assert said in found
    assert found.count("\n") == 1
    assert store.versions(recipe) == (1,)


def test_two_at_once_are_one(recipe: Path, line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with store.locked(recipe):
        assert calibrate(recipe, line) == 2
    assert f"is being changed by process {os.getpid()}" in capsys.readouterr().err
    assert calibrate(recipe, line) == 0


def test_a_disk_that_runs_full_leaves_the_old_version(
    recipe: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))  # two frames' maps and a half
    try:
        assert calibrate(recipe, line) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "File too large after 2 frames; make room, or show fewer frames" in said
    assert store.versions(recipe) == (1,)
    assert recipes.load(recipe).recipe.version == 1
    assert calibrate(recipe, line) == 0


def test_a_disk_that_is_full_when_the_version_is_written_leaves_the_old_one(
    recipe: Path, line: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The frames are measured, and then there is room for a part of the calibration alone."""
    before = {path.name for path in recipe.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    add = store.add

    def full(*args: Any) -> Recipe:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            return add(*args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(store, "add", full)
    assert calibrate(recipe, line) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{recipe / 'calibration-2.json'}: not written: File too large; nothing was" in said
    assert {path.name for path in recipe.iterdir()} == before
    assert recipes.load(recipe).recipe.version == 1
    monkeypatch.undo()
    answering(monkeypatch, Answer.RECALIBRATED)
    assert calibrate(recipe, line) == 0
    assert store.active(recipe) == 2


def test_a_clock_that_jumps_back_changes_no_order(
    recipe: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions follow each other by number, and activations by their place in the history."""
    for year in (2031, 1970, 2028):
        monkeypatch.setattr(store, "now", partial("{}-01-01T00:00:00Z".format, year))
        assert calibrate(recipe, line) == 0
    assert store.versions(recipe) == (1, 2, 3, 4)
    assert store.active(recipe) == 4
    assert [line.version for line in store.history(recipe)] == [1, 2, 3, 4]
    assert [line.time[:4] for line in store.history(recipe)][1:] == ["2031", "1970", "2028"]
    assert store.rollback(recipe, who="test") == 3
    assert recipes.load(recipe).recipe.created.startswith("1970")


SERVER = """
import os, sys
import torch
torch.set_num_threads(1)
from calibration.main import main
print("ready", flush=True)
for words in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(main(words.split()))
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_at_any_moment_the_old_version_stands(recipe: Path, line: Path) -> None:
    """Real processes, kill -9; each starts from where the last one was killed."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    words = f"run {recipe} --images {line / 'good'} --threads 1 --yes"
    assert server.stdout.readline() == "ready\n"

    def number() -> int:
        """Read the next line of the server's own; the others are effad-calibrate's."""
        assert server.stdout is not None
        return int(next(said for said in server.stdout if said.strip().isdigit()))

    def start() -> int:
        assert server.stdin is not None
        print(words, file=server.stdin, flush=True)
        return number()

    chance = random.Random(5)  # noqa: S311
    killed = 0
    with server:
        for _ in range(4):
            before = store.active(recipe)
            child = start()
            select.select([], [], [], chance.uniform(0, 1.5))
            os.kill(child, signal.SIGKILL)
            killed += os.WIFSIGNALED(number())
            loaded = recipes.load(recipe)
            assert loaded.recipe.version in {before, store.versions(recipe)[-1]}
            for version in store.versions(recipe):
                recipes.load(recipe, version)
        assert killed, "or this test shows nothing"
        newest = store.versions(recipe)[-1]
        start()
        assert number() == 0
        server.stdin.close()
    assert store.active(recipe) == newest + 1
    names = {path.name for path in recipe.iterdir()}
    assert not [name for name in names if name.endswith(".partial")]


class TestFolder:
    def test_a_sub_folder_is_a_part(self, tmp_path: Path) -> None:
        (tmp_path / "views").mkdir()
        for place, name in enumerate(("b.png", "a.png", "views/1.png", "views/2.png")):
            paint(tmp_path / name, place)
        found = list(FolderSource.held_out(tmp_path, ()))
        assert [one.name for one in found] == ["a.png", "b.png", "1.png", "2.png"]
        assert found[2].part == found[3].part
        assert len({one.part for one in found}) == 3
        np.testing.assert_array_equal(found[0].pixels, draw(1, size=SIZE).image)
        assert FolderSource.held_out(tmp_path, (), most=2).total == 2

    def test_of_a_data_set_the_good_and_the_defects(self, tmp_path: Path) -> None:
        for place, name in enumerate(("train/good", "test/good", "test/scratch")):
            (tmp_path / name).mkdir(parents=True)
            for number in range(2):
                paint(tmp_path / name / f"{number}.png", 2 * place + number)
        good = FolderSource.held_out(tmp_path, ())
        assert [path.parent.name for path, _ in good.images] == ["good", "good"]
        assert {path.parent.parent.name for path, _ in good.images} == {"train"}
        bad = FolderSource.defects(tmp_path)
        assert [path.parent.name for path, _ in bad.images] == ["scratch", "scratch"]

    def test_a_folder_of_nothing_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "inner").mkdir()
        with pytest.raises(InputError, match="no images here; allowed are"):
            FolderSource.held_out(tmp_path, ())


def test_how_sure_a_mean_is() -> None:
    running = Running()
    for value in (1.0, 2.0, 4.0, 5.0):
        running.add(value)
    assert running.mean == 3
    assert running.error == pytest.approx((10 / 3 / 4) ** 0.5)
    assert Running(1, 3.0).error == float("inf")
