"""What the tests share: data, drawn parts, and a bundle and recipe that were really trained."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray

from calibration.main import main as calibrate
from daemon.simulator.parts import draw
from models.backend import Backend, backends
from models.images import read_rgb
from models.pdn import PdnSize, pdn
from models.weights import write_weights
from training.data.good import GoodParts
from training.run import Run, run
from training.settings import TrainSettings

# One thread: threads of two busy processes wait for each other at every layer. Child processes too.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

settings.register_profile("effad", deadline=None)  # a machine may be busy
settings.load_profile("effad")

needs_openvino = pytest.mark.skipif(
    Backend.OPENVINO not in backends("cpu"), reason="the extra effad[openvino] is not installed"
)

SIZE = 128  # pixels, a side of the drawn parts
#: As ``effad-train run --hold-out 0.5 --steps 1`` trains.
HOLD_OUT, STEPS = 0.5, 1


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep daemons under test out of the user's state folder, and off the metrics' usual port."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ.pop("STATE_DIRECTORY", None)
    os.environ["EFFAD_METRICS__PORT"] = "0"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Give every run the same noise: what fails once must fail again."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real images; skips the test where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("EFFAD_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; name its folder in EFFAD_DATA")
    return folder


@pytest.fixture(scope="session")
def good_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four good parts, 128 x 128 pixels, of which a half is trained on."""
    folder = tmp_path_factory.mktemp("good")
    for seed in range(4):
        cv2.imwrite(str(folder / f"{seed:03}.png"), draw(seed, size=SIZE).image[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small teacher of random weights, which knows nothing."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    write_weights(path, dict(pdn(PdnSize.SMALL).state_dict()), {"made": "at random"})
    return path


@pytest.fixture(scope="session")
def tiny_bundle(
    tmp_path_factory: pytest.TempPathFactory, good_parts: Path, teacher_file: Path
) -> Path:
    """A bundle of one scale, ``whole``, for frames of 128 x 128; not to be changed."""
    path = tmp_path_factory.mktemp("line") / "bundle"
    train = TrainSettings(steps=STEPS)
    run(Run(good_parts, path, teacher_file, hold_out=HOLD_OUT, train=train))
    return path


@pytest.fixture(scope="session")
def tiny_recipe(tiny_bundle: Path, good_parts: Path) -> Path:
    """A recipe beside ``tiny_bundle``, calibrated on what was held out; not to be changed."""
    path = tiny_bundle.with_name("recipe")
    given = ["--bundle", str(tiny_bundle), "--images", str(good_parts), "--threads", "1", "--yes"]
    given += ["--backend", "torch"]
    assert calibrate(["run", str(path), *given]) == 0
    return path


@pytest.fixture
def own_recipe(tiny_recipe: Path, tmp_path: Path) -> Path:
    """A copy of ``tiny_recipe`` and its bundle (``../bundle``) that a test may change."""
    line = tmp_path / "line"
    shutil.copytree(tiny_recipe.parent, line)
    return line / tiny_recipe.name


@pytest.fixture(scope="session")
def passing(good_parts: Path) -> NDArray[np.uint8]:
    """An RGB frame that ``tiny_recipe`` was calibrated on, so that it passes."""
    return read_rgb(GoodParts.split(good_parts, HOLD_OUT, seed=0).held_out[0])


@pytest.fixture(scope="session")
def failing(passing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An RGB frame with so gross a defect that ``tiny_recipe`` fails it."""
    frame = passing.copy()
    frame[40:90, 40:90] = 255
    return frame
