"""Each mode's threshold is made by what its inspection will see; what is ignored is not in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calibration.looker import Seen
from calibration.measure import Measurement
from calibration.record import Choice
from models.adaptive import Asking
from models.bundle import Bundle
from models.calibration import AnomalyMap, Calibration, RawMaps, fuse
from models.engine import Engine
from models.geometry import Box, Tiles
from models.images import read_rgb, to_tensor
from models.mode import Mode
from models.precision import Precision
from models.quantiles import quantile
from models.region import Mask
from models.scope import Scope
from models.threshold import threshold
from tests.calibration.shown_frames import from_files, measured
from tests.models.thin import Passes, blob_detector, bundle_of

HEIGHT, WIDTH = 600, 500  # 3 x 3 tiles
CHOICE = Choice(alpha=0.5, device="cpu", precision=Precision.FP32, tile_share=0.25)


def dim(seed: int) -> NDArray[np.uint8]:
    """A good part: noise, and a few spots that are a little brighter."""
    random = np.random.default_rng(seed)
    frame = random.integers(0, 30, (HEIGHT, WIDTH, 3), np.uint8)
    for _ in range(4):
        y, x = int(random.integers(0, HEIGHT - 8)), int(random.integers(0, WIDTH - 8))
        frame[y : y + 8, x : x + 8] += np.uint8(random.integers(20, 60))
    return frame


class Blind(nn.Module):
    """Features that say nothing of what is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, 2, 56, 56))

    def forward(self, images: Tensor) -> Tensor:
        return self.place


def spoilt(frame: NDArray[np.uint8], y: int, x: int) -> NDArray[np.uint8]:
    bad = frame.copy()
    bad[y - 10 : y + 10, x - 10 : x + 10] = 255
    return bad


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{seed}.png" for seed in range(4)]
    for seed, path in enumerate(found):
        cv2.imwrite(str(path), dim(seed))
    return found


@pytest.fixture
def bundle() -> Bundle:
    return bundle_of({"whole": blob_detector(), "tiles": blob_detector()}, HEIGHT, WIDTH)


@dataclass(frozen=True)
class Line:
    """A bundle in use: what it was calibrated to, and what it inspects with."""

    bundle: Bundle
    engine: Engine
    calibration: Calibration

    @classmethod
    def calibrated(cls, bundle: Bundle, paths: Sequence[Path], scope: Scope) -> "Line":
        engine = Engine(bundle, scope=scope)
        frames = from_files(paths)
        calibration = measured(bundle, engine, frames, paths[0].parent, CHOICE).calibration
        if calibration.ask is not None:
            whole = calibration.scales["whole"]
            engine = engine.asking(Asking(whole, CHOICE.alpha, calibration.ask.level))
        return cls(bundle, engine, calibration)

    def maps(self, frame: NDArray[np.uint8]) -> dict[str, RawMaps]:
        return self.engine.look_at(to_tensor(frame))

    def anomaly(self, frame: NDArray[np.uint8]) -> AnomalyMap:
        ranges = self.calibration.scales
        return fuse(self.maps(frame), ranges, CHOICE.alpha, self.bundle.weights)

    def fails(self, frame: NDArray[np.uint8]) -> bool:
        return self.anomaly(frame).score >= self.calibration.threshold


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("stride", [224, 112])
def test_the_scores_are_those_of_inspection_bit_for_bit(
    bundle: Bundle, paths: list[Path], mode: Mode, stride: int
) -> None:
    line = Line.calibrated(bundle, paths, Scope(mode, tile_stride=stride))  # type: ignore[arg-type]
    found = line.calibration
    scores = [line.anomaly(read_rgb(path)).score for path in paths]
    assert sorted(found.scores) == sorted(scores)
    assert found.threshold == threshold(scores, 1 / 5)
    assert found.mode is mode
    assert found.tile_stride == stride
    assert found.scales.keys() == set(mode.scales)
    assert line.fails(spoilt(dim(9), 300, 300))


def test_adaptive_asks_for_the_stated_share_of_good_parts_and_for_defects(
    paths: list[Path],
) -> None:
    tiles = blob_detector()
    bundle = bundle_of({"whole": blob_detector(), "tiles": tiles}, HEIGHT, WIDTH)
    line = Line.calibrated(bundle, paths, Scope(Mode.ADAPTIVE))
    assert line.calibration.ask is not None
    assert line.calibration.ask.share == 0.25
    passes = Passes(tiles)
    for path in paths:
        line.maps(read_rgb(path))
    assert passes.teacher == int(0.25 * 4 * 9)
    computed = line.maps(spoilt(dim(9), 300, 120))["tiles"].computed
    assert computed is not None
    assert computed[300 // 4, 120 // 4]


def test_adaptive_ranges_are_of_all_tiles(bundle: Bundle, paths: list[Path]) -> None:
    """Those that were asked for are the strangest: their quantiles alone would blunt the tiles."""
    adaptive = Line.calibrated(bundle, paths, Scope(Mode.ADAPTIVE)).calibration
    pyramid = Line.calibrated(bundle, paths, Scope(Mode.PYRAMID)).calibration
    assert adaptive.scales == pyramid.scales
    assert pyramid.ask is None


def test_adaptive_misses_what_the_whole_does_not_see(paths: list[Path]) -> None:
    """As it says of itself; the pyramid finds it."""
    blind = blob_detector()
    blind.student = nn.Sequential(Blind())
    bundle = bundle_of({"whole": blind, "tiles": blob_detector()}, HEIGHT, WIDTH)
    bad = spoilt(dim(9), 300, 120)
    assert Line.calibrated(bundle, paths, Scope(Mode.PYRAMID)).fails(bad)
    adaptive = Line.calibrated(bundle, paths, Scope(Mode.ADAPTIVE))
    computed = adaptive.maps(bad)["tiles"].computed
    assert computed is not None
    assert not computed[300 // 4, 120 // 4]
    assert adaptive.anomaly(bad).score == adaptive.anomaly(dim(9)).score


@pytest.mark.parametrize(("mode", "again"), [(Mode.PYRAMID, 0), (Mode.ADAPTIVE, 4)])
def test_progress_is_told_of_every_look(
    bundle: Bundle, paths: list[Path], tmp_path: Path, mode: Mode, again: int
) -> None:
    told: list[int] = []

    def progress() -> None:
        told.append(1)

    with Measurement(bundle, Engine(bundle, scope=Scope(mode)), CHOICE, tmp_path) as found:
        done: list[Seen] = []
        found.show(from_files(paths), 4, done.append)
        assert [seen.name for seen in done] == [path.name for path in paths]
        found.finish(progress=progress)
        assert len(told) == again
        assert found.looks_twice == (again > 0)


def masked(box: Box) -> Mask:
    ignored = np.zeros((HEIGHT, WIDTH), np.bool_)
    ignored[box.y : box.y + box.height, box.x : box.x + box.width] = True
    return ignored


@pytest.mark.parametrize("mode", list(Mode))
def test_a_defect_under_the_mask_fails_no_part_and_beside_it_does(
    bundle: Bundle, paths: list[Path], mode: Mode
) -> None:
    ignored = masked(Box(x=0, y=0, width=300, height=260))
    line = Line.calibrated(bundle, paths, Scope(mode, ignored=ignored))
    blind = Line.calibrated(bundle, paths, Scope(mode))
    under, beside = spoilt(dim(9), 120, 120), spoilt(dim(9), 400, 400)
    assert blind.fails(under), "without the mask it is found"
    assert not line.fails(under)
    assert line.fails(beside)
    values = line.anomaly(under).values
    above = (values >= line.calibration.pixel_threshold).nonzero()
    centres = [line.anomaly(under).placement.centre((int(y), int(x))) for y, x in above]
    assert not [1 for y, x in centres if y < 250 and x < 290], "nor is it in a region"


def test_what_is_ignored_is_in_no_quantile_and_no_score(
    bundle: Bundle, paths: list[Path], tmp_path: Path
) -> None:
    """Good parts whose ignored corner glares are calibrated as those without."""
    ignored = masked(Box(x=0, y=0, width=300, height=260))
    glaring = [tmp_path / f"glaring-{place}.png" for place in range(len(paths))]
    for path, bright in zip(paths, glaring, strict=True):
        cv2.imwrite(str(bright), spoilt(cv2.imread(str(path)), 120, 120))  # type: ignore[arg-type]
    scope = Scope(Mode.TILES, ignored=ignored)
    plain = Line.calibrated(bundle, paths, scope).calibration
    found = Line.calibrated(bundle, glaring, scope).calibration
    assert found.scales == plain.scales
    assert sorted(found.scores) == sorted(plain.scores)
    engine = Engine(bundle, scope=scope)
    raw = [engine.look_at(to_tensor(read_rgb(path)))["tiles"] for path in paths]
    left = torch.from_numpy(~ignored[::4, ::4])
    local = torch.cat([maps.local[left] for maps in raw])
    assert found.scales["tiles"].local.q_b == quantile(local, 0.995)


def test_a_region_and_a_mask_lie_in_the_frame_together(bundle: Bundle, paths: list[Path]) -> None:
    """Adaptive, with a region off the lattice: a defect in its tile, and one under its mask."""
    region = Box(x=37, y=21, width=460, height=500)
    ignored = masked(Box(x=0, y=0, width=200, height=260))
    line = Line.calibrated(bundle, paths, Scope(Mode.ADAPTIVE, region, ignored))
    assert not line.fails(spoilt(dim(9), 120, 100))
    assert not line.fails(spoilt(dim(9), 560, 300)), "outside the region"
    assert line.fails(spoilt(dim(9), 400, 440))
    peak = line.anomaly(spoilt(dim(9), 400, 440))
    row, column = np.unravel_index(int(peak.values.argmax()), peak.values.shape)
    y, x = peak.placement.centre((int(row), int(column)))
    assert abs(y - 400) < 14
    assert abs(x - 440) < 14
    assert peak.values.shape == Tiles(500, 460).cells
