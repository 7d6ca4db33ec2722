"""effad-replay brings back what was said of a kept image, or says what is not so."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.archive import Archive, ArchivePlan, Kept
from daemon.archive.comparison import precision_of
from daemon.archive.record import MAP, RECORD
from daemon.channel import Crew
from daemon.claims import Claim
from daemon.frames import Frame, Lease
from daemon.inspection.infer import Inspector
from daemon.inspection.judge import judge
from daemon.messages import Kind, Part, Reason, TriggerSource, Verdict, View
from daemon.replay import main
from daemon.simulator.pixels import encode
from models import recipe as recipes
from models.engine import Engine
from models.images import read_rgb
from models.pixel_format import PixelFormat
from models.precision import TOLERANCE, Precision
from models.recipe import LoadedRecipe
from tests.editing import edit_calibration

LIMIT = 60.0
FORMATS = (PixelFormat.RGB8, PixelFormat.BAYER_RG8, PixelFormat.MONO8, PixelFormat.MONO12)


def verdict_of(seq: int, view: View, recipe: LoadedRecipe, engine: Engine) -> Verdict:
    return Verdict(
        epoch=1,
        seq=seq,
        station="nut",
        part=Part(),
        trigger_source=TriggerSource.SOFTWARE,
        verdict=view.verdict,
        reason=view.reason,
        score=view.score,
        threshold=recipe.calibration.threshold,
        views=(view,),
        recipe=recipe.recipe.name,
        recipe_version=recipe.recipe.version,
        bundle=recipe.bundle.sha256,
        calibration=recipe.calibration_sha256,
        engine=engine.fingerprint,
        code="0.1.0",
        triggered_ns=time.time_ns(),
        published_ns=time.time_ns(),
        resultId=f"1-nut-{seq}",
        jobId="job",
    )


@dataclass(frozen=True)
class Line:
    """Inspects as the daemon does, and keeps what it saw."""

    folder: Path
    inspector: Inspector

    def keep(self, *frames: tuple[NDArray[Any], PixelFormat], fails: bool = False) -> list[Path]:
        """Inspect frames and keep them; ``fails``: as if the model had failed."""
        archive = Archive(self.folder, ArchivePlan(keep="all", leave_free_bytes=0), pytest.fail)
        crew = Crew(lambda: None)
        archive.start(crew)
        for seq, (pixels, pixel_format) in enumerate(frames, start=1):
            assert archive.offer(self._kept(seq, pixels, pixel_format, fails))
        archive.done()
        assert crew.join(LIMIT) == []
        crew.check()
        return sorted(self.folder.rglob("*.png"))

    def _kept(self, seq: int, pixels: NDArray[Any], name: PixelFormat, fails: bool) -> Kept:
        lease = Lease(lambda: None)
        recipe, engine = self.inspector.recipe, self.inspector.engine
        anomaly = None
        view = View(
            camera="cam1",
            trigger=seq,
            frame_id=seq,
            verdict=Kind.NO_VERDICT,
            reason=Reason.MODEL_ERROR,
        )
        if not fails:
            frame = Frame(Claim("nut", seq, "cam1"), pixels, name, lease)
            anomaly = self.inspector.inspect(frame).anomaly
            kind, regions = judge(anomaly, recipe)
            seen = {"verdict": kind, "reason": None, "score": anomaly.score, "regions": regions}
            view = view.model_copy(update=seen)
        verdict = verdict_of(seq, view, recipe, engine)
        header = verdict.model_dump_json().encode()
        return Kept(verdict, header, "cam1", pixels, name, anomaly, lease.let_go)


@pytest.fixture
def line(own_recipe: Path, tmp_path: Path) -> Line:
    loaded = recipes.load(own_recipe)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision, threads=1)
    return Line(tmp_path / "images", Inspector(engine, loaded))


Says = Callable[..., tuple[int, str, str]]


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str]) -> Says:
    """Run the command; gives its status, and what it said to stdout and stderr."""

    def replay_(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return replay_


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change an image's record."""
    record = json.loads(path.with_suffix(RECORD).read_bytes())
    change(record)
    path.with_suffix(RECORD).write_text(json.dumps(record))


def test_every_verdict_comes_out_bit_for_bit(
    line: Line,
    replay: Says,
    own_recipe: Path,
    passing: NDArray[np.uint8],
    failing: NDArray[np.uint8],
) -> None:
    frames = [(encode(rgb, name), name) for rgb in (passing, failing) for name in FORMATS]
    paths = line.keep(*frames)
    assert len(paths) == 8
    status, out, err = replay(line.folder, "--recipe", own_recipe, "--verify")
    assert (status, err) == (0, "")
    assert out.count("reproduced bit for bit, by the same engine") == 8
    status, out, _ = replay(line.folder, "--recipe", own_recipe, "--verify", "--json")
    found = [json.loads(text) for text in out.splitlines()]
    assert status == 0
    assert all(one["reproduced"] and one["same_engine"] for one in found)
    assert {one["map_difference"] for one in found} == {0.0}
    assert {one["verdict"] for one in found} == {"PASS", "FAIL"}
    assert any(one["regions"] for one in found)


def test_it_is_a_command(line: Line, own_recipe: Path, failing: NDArray[np.uint8]) -> None:
    """In a process of its own, which nothing of this one's state helps to the same bits."""
    (path,) = line.keep((failing, PixelFormat.RGB8))
    command = [sys.executable, "-m", "daemon.replay", str(path), "--recipe", str(own_recipe)]
    done = subprocess.run(
        [*command, "--verify"], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "FAIL, score" in done.stdout
    assert "; reproduced bit for bit" in done.stdout


def test_a_changed_pixel_is_not_reproduced(
    line: Line, replay: Says, own_recipe: Path, failing: NDArray[np.uint8]
) -> None:
    (path,) = line.keep((failing, PixelFormat.RGB8))
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    image[5, 5, 0] ^= 1
    cv2.imwrite(str(path), image)
    status, out, _ = replay(path, "--recipe", own_recipe, "--verify")
    assert status == 1
    assert "NOT reproduced" in out
    assert "its pixels are not those that were recorded" in out
    assert replay(path, "--recipe", own_recipe)[0] == 0, "only --verify fails"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda view: view.update(score=np.nextafter(view["score"], 9)), "its score is"),
        (lambda view: view.update(verdict="PASS"), "its verdict is FAIL, recorded was PASS"),
        (lambda view: view["regions"].pop(), "its regions are"),
        (lambda view: view.update(camera="cam2"), "does not name its camera"),
    ],
)
def test_what_was_said_otherwise_is_not_reproduced(
    change: Callable[[dict[str, Any]], None],
    said: str,
    line: Line,
    replay: Says,
    own_recipe: Path,
    failing: NDArray[np.uint8],
) -> None:
    (path,) = line.keep((failing, PixelFormat.RGB8))
    edit(path, lambda record: change(record["verdict"]["views"][0]))
    status, out, _ = replay(path, "--recipe", own_recipe, "--verify")
    assert status == 1
    assert said in out


def test_one_bit_of_a_map_is_seen(
    line: Line, replay: Says, own_recipe: Path, passing: NDArray[np.uint8]
) -> None:
    (path,) = line.keep((passing, PixelFormat.RGB8))
    values = np.load(path.with_suffix(MAP))
    values.view(np.uint32)[3, 4] ^= 1
    np.save(path.with_suffix(MAP), values)
    status, out, _ = replay(path, "--recipe", own_recipe, "--verify")
    assert status == 1
    assert f"1 of {values.size} cells of its map differ" in out


def test_another_engine_has_its_tolerance(
    line: Line, replay: Says, own_recipe: Path, passing: NDArray[np.uint8]
) -> None:
    (path,) = line.keep((passing, PixelFormat.RGB8))
    given = [path, "--recipe", own_recipe, "--verify", "--threads", 2]
    status, out, _ = replay(*given)
    assert status == 0
    assert "reproduced within" in out
    assert "the tolerance of another engine" in out
    found = json.loads(replay(*given, "--json")[1])
    assert not found["same_engine"]
    assert found["map_difference"] <= found["tolerance"]
    values = np.load(path.with_suffix(MAP))
    for share, expected in ((0.5, 0), (1.5, 1)):
        changed = values.copy()
        changed[0, 0] += share * found["tolerance"]
        np.save(path.with_suffix(MAP), changed)
        assert replay(*given)[0] == expected


def test_a_verdict_near_the_threshold_is_open_to_another_engine_alone(
    line: Line, replay: Says, own_recipe: Path, failing: NDArray[np.uint8]
) -> None:
    (path,) = line.keep((failing, PixelFormat.RGB8))
    edit(path, lambda record: record["verdict"]["views"][0].update(verdict="PASS"))
    given = [path, "--recipe", own_recipe, "--verify"]
    assert replay(*given)[0] == 1
    assert replay(*given, "--threads", 2)[0] == 1, "far from the threshold"
    # The same frame, calibrated so that its score is the threshold: a hair below it is PASS.
    score = json.loads(path.with_suffix(RECORD).read_bytes())["verdict"]["score"]
    edit_calibration(own_recipe, threshold=score)
    near = Line(
        line.folder.with_name("near"), Inspector(line.inspector.engine, recipes.load(own_recipe))
    )
    (path,) = near.keep((failing, PixelFormat.RGB8))
    below = {"verdict": "PASS", "score": float(np.nextafter(np.float32(score), np.float32(0)))}
    edit(path, lambda record: record["verdict"]["views"][0].update(below))
    given[0] = path
    assert replay(*given)[0] == 1
    assert replay(*given, "--threads", 2)[0] == 0


def test_another_calibration_is_refused(
    line: Line, replay: Says, own_recipe: Path, passing: NDArray[np.uint8]
) -> None:
    (path,) = line.keep((passing, PixelFormat.RGB8))
    loaded = recipes.load(own_recipe)
    edit_calibration(own_recipe, threshold=9.0)
    for more in ([], ["--verify"]):
        status, out, err = replay(path, "--recipe", own_recipe, *more)
        assert (status, out) == (2, "")
        assert f"calibration {loaded.calibration_sha256[:12]}, not" in err
        assert "bundle" not in err
        assert err.count("\n") == 1
    status, out, _ = replay(path, "--recipe", own_recipe, "--any-recipe")
    assert status == 0
    assert "by another recipe, not compared" in out
    assert "< 9.0" in out


def test_an_image_of_ones_own_can_be_looked_at(
    replay: Says, own_recipe: Path, good_parts: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    path = sorted(good_parts.iterdir())[0]
    status, out, _ = replay(path, "--recipe", own_recipe, "--overlay", picture)
    assert status == 0
    assert "reproduced" not in out
    assert read_rgb(picture).shape == (128, 128, 3)
    status, _, err = replay(path, "--recipe", own_recipe, "--verify")
    assert status == 2
    assert "has no JSON beside it" in err


def test_an_image_of_another_size_is_refused(
    replay: Says, own_recipe: Path, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 50), np.uint8))
    status, _, err = replay(tmp_path / "a.png", "--recipe", own_recipe)
    assert status == 2
    assert "50 x 40 pixels, and recipe" in err


def test_the_damaged_one_of_several_is_told_and_the_others_are_verified(
    line: Line, replay: Says, own_recipe: Path, passing: NDArray[np.uint8]
) -> None:
    paths = line.keep(*[(passing, PixelFormat.RGB8)] * 4)
    paths[0].write_bytes(paths[0].read_bytes()[:300])
    paths[1].with_suffix(MAP).write_bytes(b"")
    paths[2].with_suffix(RECORD).write_bytes(b"{")
    status, out, err = replay(line.folder, "--recipe", own_recipe, "--verify")
    assert status == 2
    assert out.count("reproduced bit for bit") == len(paths) - 3
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(str(line.folder) in text for text in lines)


def test_an_image_that_the_model_failed_on_has_nothing_to_reproduce(
    line: Line, replay: Says, own_recipe: Path, passing: NDArray[np.uint8]
) -> None:
    (path,) = line.keep((passing, PixelFormat.RGB8), fails=True)
    assert not path.with_suffix(MAP).exists()
    status, out, _ = replay(path, "--recipe", own_recipe, "--verify")
    assert status == 1
    assert "no map was recorded: the model had failed" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{image}"], "--recipe is missing: give the folder of recipe"),
        (["{image}", "--recipe", "/nowhere"], "/nowhere: no such folder"),
        (["/nowhere.png", "--recipe", "{recipe}"], "/nowhere.png: No such file"),
        (["{recipe}", "--recipe", "{recipe}"], "no images here"),
        (["{image}", "{image}", "--overlay", "x.png", "--recipe", "{recipe}"], "name one"),
    ],
)
def test_faults_are_one_line(
    arguments: list[str],
    said: str,
    line: Line,
    replay: Says,
    own_recipe: Path,
    passing: NDArray[np.uint8],
) -> None:
    (path,) = line.keep((passing, PixelFormat.RGB8))
    status, out, err = replay(*[a.format(image=path, recipe=own_recipe) for a in arguments])
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_precision_is_read_from_a_fingerprint() -> None:
    assert precision_of("torch-2/cpu/x86_64-AVX2/fp32/threads-1/tile") is Precision.FP32
    assert precision_of("torch-2/cuda/NVIDIA-bf16/bf16/threads-1/tile") is Precision.BF16
    assert precision_of("torch-2/cpu/x86_64-AVX2/reduced/threads-1/tile") is Precision.REDUCED
    assert TOLERANCE[precision_of("")] == max(TOLERANCE.values()), "the roughest"
