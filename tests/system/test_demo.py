"""effad-demo as a new user runs it, on what is shipped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from daemon.demo import SHIPPED
from daemon.simulator.parts import Defect, draw
from models import recipe as recipes
from models.calibration import fuse
from models.engine import Engine
from models.images import read_rgb, to_tensor
from tests.system.line import LIMIT

DEMO = (sys.executable, "-m", "daemon.demo")


def test_it_ends_after_its_frames(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--frames", "6", "--save", "maps"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdicts = [line for line in done.stdout.splitlines() if "  demo " in line]
    assert len(verdicts) == 6
    fails = [line for line in verdicts if "FAIL" in line]
    assert "NO_VERDICT" not in done.stdout.replace("0 NO_VERDICT", "")
    pictures = sorted((tmp_path / "maps").glob("*.png"))
    assert len(pictures) == len(fails) >= 1, "a picture of each that failed"
    assert read_rgb(pictures[0]).shape == (512, 512, 3)
    assert f"{len(fails)} heat maps in {tmp_path / 'maps'}" in done.stdout


def test_it_inspects_images_of_ones_own_until_ctrl_c(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for seed in range(2):
        cv2.imwrite(str(images / f"{seed}.png"), draw(seed, size=300).image[..., ::-1])
    with subprocess.Popen(
        [*DEMO, "--images", str(images)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as demo:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if "  demo 2 " in line:
                demo.send_signal(signal.SIGINT)
                break
        said += demo.stdout.readlines()
        assert demo.wait(LIMIT) == 0, said
    assert any("images are resized to 512 x 512" in line for line in said)
    assert any("0.png" in line for line in said), "parts are named as their files"
    assert "Traceback" not in "".join(said)


def test_the_shipped_recipe_tells_good_from_bad() -> None:
    loaded = recipes.load(SHIPPED)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision, threads=1)

    def failed(seed: int, defect: Defect | None) -> bool:
        maps = engine.look_at(to_tensor(draw(seed, defect).image))
        calibration = loaded.calibration
        fused = fuse(maps, calibration.scales, calibration.alpha, loaded.bundle.weights)
        return fused.score >= calibration.threshold

    seeds = range(9000, 9008)  # parts that nobody trained on
    rejects = np.mean([failed(seed, None) for seed in seeds])
    recall = np.mean([failed(seed, defect) for seed in seeds[:4] for defect in Defect])
    assert rejects <= 1 / 8
    assert recall >= 0.6


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--images", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"effad-demo: error: {tmp_path}: no images here; allowed are .bmp .jpeg .jpg .png .tif"
        " .tiff .webp\n"
    )


@pytest.mark.parametrize("frames", ["0", "many"])
def test_a_wrong_number_of_frames(frames: str) -> None:
    done = subprocess.run([*DEMO, "--frames", frames], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--frames" in done.stderr
    assert "Traceback" not in done.stderr
