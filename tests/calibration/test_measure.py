"""Measuring: the same bytes whatever the order and the split, and what inspection will see."""

import dataclasses
import resource
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from calibration.crew import CrewPlan, EnginePlan
from calibration.looked import Measured
from calibration.measure import Measurement
from calibration.record import pixel_threshold, with_alpha
from calibration.shown import Shown
from calibration.spill import Spill
from daemon.simulator.parts import draw
from models.bundle import Bundle
from models.calibration import fuse
from models.engine import Engine
from models.errors import InputError
from models.images import appearance, brightness, contrast, sharpness, to_tensor
from models.levels import local_level
from models.light import light
from models.mode import Mode
from models.pixel_format import PixelFormat
from models.precision import Precision
from models.quantiles import quantile
from models.scope import Scope
from models.threshold import Method, threshold
from tests.calibration.shown_frames import CHOICE, measured, thin_plan
from tests.conftest import SIZE
from tests.models.thin import blob_detector, bundle_of


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Of both scales, for frames of 128 x 128."""
    return thin_plan().make()[0]


@pytest.fixture(scope="module")
def frames() -> list[Shown]:
    """Seven frames of six parts, as a camera sends them."""
    found = []
    for seed in range(7):
        part = f"part {min(seed, 5)}"
        found.append(Shown.of(f"{seed}", part, draw(seed, size=SIZE).image, PixelFormat.RGB8))
    return found


def as_bytes(found: Measured) -> str:
    return found.calibration.model_dump_json(indent=1)


@pytest.mark.parametrize("processes", [1, 2])
def test_order_and_processes_change_no_byte(
    frames: list[Shown], tmp_path: Path, processes: int
) -> None:
    plan = thin_plan(Scope(Mode.ADAPTIVE))
    bundle, engine = plan.make()
    plain = measured(bundle, engine, frames, tmp_path)
    turned = [*reversed(frames), frames[3]]  # one is shown twice
    crew = CrewPlan.of(plan, processes)
    with Measurement(bundle, engine, CHOICE, tmp_path, crew) as measurement:
        measurement.show(turned, len(turned), lambda seen: None)
        found = measurement.finish()
        assert measurement.duplicates == 1
    assert as_bytes(found) == as_bytes(plain)
    assert found.frames == plain.frames
    assert found.histograms == plain.histograms
    assert [look.digest for look in found.frames] == sorted(one.digest for one in frames)
    assert found.calibration.frames == 7
    assert found.calibration.parts == 6
    assert list(tmp_path.iterdir()) == [], "what was spilled has no name"


def test_a_frame_is_what_the_plain_functions_say(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    engine = Engine(bundle)
    found = measured(bundle, engine, frames, tmp_path)
    record = found.calibration
    for place, look in enumerate(found.frames):
        shown = next(one for one in frames if one.digest == look.digest)
        rgb = to_tensor(np.asarray(shown.pixels, np.uint8))
        maps = engine.look_at(rgb)
        assert look.score == fuse(maps, record.scales, 0.5, bundle.weights).score
        local = look.levels["tiles"].local
        assert local.q50 == quantile(maps["tiles"].local, 0.5)
        assert local.q90 == quantile(maps["tiles"].local, 0.9)
        assert local.q995 == quantile(maps["tiles"].local, 0.995)
        assert local.maximum == float(maps["tiles"].local.max())
        assert local.mean == pytest.approx(float(maps["tiles"].local.double().mean()))
        assert look.levels["whole"].globally.q90 == quantile(maps["whole"].globally, 0.9)
        assert (look.brightness, look.contrast, look.sharpness) == appearance(rgb)
        assert record.drift.score[place] == look.score
        assert record.drift.local[place] == local_level(maps)
        seen = light(shown.pixels, shown.pixel_format)
        assert record.drift.brightness[place] == seen.brightness
        assert record.drift.sharpness[place] == seen.sharpness


def test_appearance_is_its_three_values() -> None:
    rgb = torch.rand(3, 20, 30)
    found = (brightness(rgb), contrast(rgb), sharpness(rgb))
    assert appearance(rgb) == pytest.approx(found, rel=1e-6)
    y = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    assert contrast(rgb) == pytest.approx(float(y.double().std(correction=0)), rel=1e-5)


def test_a_part_is_as_bad_as_its_worst_frame(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    found = measured(bundle, Engine(bundle), frames, tmp_path)
    worst: dict[str, float] = {}
    for look in found.frames:
        worst[look.part] = max(look.score, worst.get(look.part, look.score))
    record = found.calibration
    assert record.scores == tuple(worst.values())
    assert len(worst) == 6
    assert record.threshold == threshold(list(worst.values()), 1 / 7)
    assert record.made.value == record.threshold
    assert record.false_reject_rate == record.made.rate == pytest.approx(1 / 7)


def test_kept_scores_are_those_of_frames_shown_again(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    engine = Engine(bundle)
    old = measured(bundle, engine, frames, tmp_path).calibration
    for alpha in (0.0, 0.3, 1.0):
        choice = dataclasses.replace(CHOICE, alpha=alpha, false_reject_rate=0.4)
        again = measured(bundle, engine, frames, tmp_path, choice).calibration
        assert with_alpha(old, choice) == again
        assert again.threshold != old.threshold
    with pytest.raises(InputError, match=r"alpha = 0.35: scores are kept for 0, 0.1, .* alone; sh"):
        with_alpha(old, dataclasses.replace(CHOICE, alpha=0.35))


def test_adaptive_keeps_its_own_alpha_alone(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    old = measured(bundle, Engine(bundle, scope=Scope(Mode.ADAPTIVE)), frames, tmp_path).calibration
    with pytest.raises(InputError, match=r"kept for 0.5 alone; mode adaptive asks for tiles by al"):
        with_alpha(old, dataclasses.replace(CHOICE, alpha=0.3))


@pytest.mark.parametrize("mode", [Mode.TILES, Mode.ADAPTIVE])
def test_frames_left_out_leave_no_trace(
    bundle: Bundle, frames: list[Shown], tmp_path: Path, mode: Mode
) -> None:
    engine = Engine(bundle, scope=Scope(mode))
    with Measurement(bundle, engine, CHOICE, tmp_path) as measurement:
        measurement.show(frames, 7, lambda seen: None)
        before = measurement.finish()
        left = measurement.named(["4", "part 5"])
        found = measurement.finish(without=left)
        assert measurement.finish() == before or as_bytes(measurement.finish()) == as_bytes(before)
        with pytest.raises(InputError, match="9: no frame or part of that name was shown"):
            measurement.named(["9"])
        with pytest.raises(InputError, match="1 frames of 1 parts that differ: show at least 2"):
            measurement.finish(without=[one.digest for one in frames[1:]])
    plain = measured(bundle, engine, frames[:4], tmp_path)
    assert as_bytes(found) == as_bytes(plain)
    assert found.histograms == plain.histograms
    assert as_bytes(found) != as_bytes(before)


def test_frames_of_a_camera_are_there_again(bundle: Bundle, tmp_path: Path) -> None:
    mono = [draw(seed, size=SIZE).image[..., 1].copy() for seed in range(3)]
    frames = [Shown.of(f"{n}", f"{n}", image, PixelFormat.MONO8) for n, image in enumerate(mono)]
    with Measurement(bundle, Engine(bundle), CHOICE, tmp_path) as measurement:
        measurement.show(frames, None, lambda seen: None)
        for shown, pixels in zip(frames, mono, strict=True):
            again = measurement.read(shown.digest)
            np.testing.assert_array_equal(again.pixels, pixels)
            assert (again.name, again.part, again.path) == (shown.name, shown.part, None)
            assert again.pixel_format is PixelFormat.MONO8
        bayer = Shown.of("4", "4", mono[0], PixelFormat.BAYER_RG8)
    with (
        Measurement(bundle, Engine(bundle), CHOICE, tmp_path) as measurement,
        pytest.raises(InputError, match="4: BayerRG8, but the first frame was Mono8"),
    ):
        measurement.show([*frames, bayer], None, lambda seen: None)


def test_a_file_that_changes_meanwhile_is_noticed(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = draw(0, size=SIZE).image
    cv2.imwrite(str(path), image[..., ::-1])
    frames = [
        Shown.of("a", "a", image, PixelFormat.RGB8, path),
        Shown.of("b", "b", draw(1, size=SIZE).image, PixelFormat.RGB8),
    ]
    with Measurement(bundle, Engine(bundle), CHOICE, tmp_path) as measurement:
        measurement.show(frames, 2, lambda seen: None)
        np.testing.assert_array_equal(measurement.read(frames[0].digest).pixels, image)
        cv2.imwrite(str(path), image)
        with pytest.raises(InputError, match=r"a\.png: changed while it was calibrated on"):
            measurement.read(frames[0].digest)


def test_one_frame_under_two_names_counts_once_under_the_first(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    other = dataclasses.replace(frames[1], name="a", part="a part")
    found = []
    for order in ([*frames, other], [other, *frames]):
        looks = measured(bundle, Engine(bundle), order, tmp_path)
        found.append(as_bytes(looks))
        assert {(look.name, look.part) for look in looks.frames} >= {("a", "a part")}
        assert len(looks.frames) == 7
    assert found[0] == found[1]


def test_defects_are_scored_by_the_new_ranges(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    engine = Engine(bundle)
    spoilt = np.asarray(frames[0].pixels, np.uint8).copy()
    spoilt[40:90, 40:90] = 255
    defects = [Shown.of("x", "x", spoilt, PixelFormat.RGB8)]
    choice = dataclasses.replace(CHOICE, method=Method.RECALL)
    with Measurement(bundle, engine, choice, tmp_path) as measurement:
        measurement.show(frames, 7, lambda seen: None)
        record = measurement.finish(defects).calibration
    score = fuse(engine.look(spoilt, PixelFormat.RGB8), record.scales, 0.5, bundle.weights).score
    assert record.made.method is Method.RECALL
    assert record.made.reached is not None
    assert record.made.reached.recall == float(score >= record.threshold)


def test_the_pixel_threshold_is_of_levels_and_below_that_of_the_score(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    engine = Engine(bundle, scope=Scope(Mode.WHOLE))
    record = measured(bundle, engine, frames, tmp_path).calibration
    levels: dict[str, float] = {}
    for shown in frames:
        anomaly = fuse(
            engine.look(shown.pixels, shown.pixel_format), record.scales, 0.5, bundle.weights
        )
        found = quantile(anomaly.values, 0.999)
        levels[shown.part] = max(found, levels.get(shown.part, found))
    assert record.pixel_threshold == threshold(list(levels.values()), 1 / 7)
    assert record.pixel_threshold < record.threshold
    low = record.made.model_copy(update={"value": 0.001})
    assert pixel_threshold(list(levels.values()), low) == 0.001, "each FAIL has a region"


def test_quantiles_of_few_cells_are_exact(tmp_path: Path) -> None:
    """Where one rank of few cells is more than 1e-4, the cells are looked at once more."""
    bundle = bundle_of({"whole": blob_detector()}, 64, 64)
    frames = []
    for seed in range(3):  # light that hardly differs, so that many cells share a bin
        pixels = 200 + np.random.default_rng(seed).integers(0, 2, (64, 64, 3)).astype(np.uint8)
        frames.append(Shown.of(f"{seed}", f"{seed}", pixels, PixelFormat.RGB8))
    engine = Engine(bundle)
    found = measured(bundle, engine, frames, tmp_path)
    missed = found.histograms["whole"].local.quantile(0.9)[1]
    assert missed > 1e-4, "or this test shows nothing"
    seen = torch.cat([engine.look(f.pixels, f.pixel_format)["whole"].local for f in frames])
    ranges = found.calibration.scales["whole"].local
    assert ranges.q_a == quantile(seen, 0.9)
    assert ranges.rank_error <= 1e-4


@pytest.mark.parametrize("value", [0, 255])
def test_frames_that_show_nothing_are_refused(
    bundle: Bundle, frames: list[Shown], tmp_path: Path, value: int
) -> None:
    """A lens cap, or light that burns everything out."""
    flat = Shown.of("flat", "flat", np.full((128, 128, 3), value, np.uint8), PixelFormat.RGB8)
    done: list[str] = []
    with (
        Measurement(bundle, Engine(bundle), CHOICE, tmp_path) as measurement,
        pytest.raises(InputError, match=f"flat: every pixel is {value}, so that the frame shows"),
    ):
        measurement.show([frames[0], flat], 2, lambda seen: done.append(seen.name))
    assert done == ["0"]


def test_frames_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    """So dark that no cell differs from another."""
    bundle = bundle_of({"whole": blob_detector()}, 64, 64)
    frames = []
    for place in (0, 63):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[place, place] = 1  # in a corner, where no cell looks
        frames.append(Shown.of(f"{place}", f"{place}", pixels, PixelFormat.RGB8))
    with pytest.raises(InputError, match="scale whole: the good frames look the same everywhere"):
        measured(bundle, Engine(bundle), frames, tmp_path)


@pytest.mark.parametrize(
    ("shape", "pixel_format", "said"),
    [
        ((96, 64, 3), PixelFormat.RGB8, "64 x 96 pixels, but the bundle inspects 128 x 128"),
        ((128, 128), PixelFormat.RGB8, r"an array of \(128, 128\) is no frame of RGB8"),
    ],
)
def test_frames_of_another_shape_are_refused(
    bundle: Bundle,
    tmp_path: Path,
    shape: tuple[int, ...],
    pixel_format: PixelFormat,
    said: str,
) -> None:
    frame = Shown.of("odd", "odd", np.zeros(shape, np.uint8), pixel_format)
    with pytest.raises(InputError, match=said):
        measured(bundle, Engine(bundle), [frame], tmp_path)


def test_too_few_for_the_rate_are_refused_before_the_first_look(
    bundle: Bundle, frames: list[Shown], tmp_path: Path
) -> None:
    choice = dataclasses.replace(CHOICE, false_reject_rate=0.1)
    done: list[str] = []
    with Measurement(bundle, Engine(bundle), choice, tmp_path) as measurement:
        with pytest.raises(InputError, match=r"7 good parts support .* 10.00% takes 9 parts"):
            measurement.show(frames, 7, lambda seen: done.append(seen.name))
        assert done == []
        measurement.show(frames, 9, lambda seen: None)  # so many were announced
        with pytest.raises(InputError, match=r"6 good parts support"):
            measurement.finish()


def test_what_a_process_refuses_is_told(frames: list[Shown], tmp_path: Path) -> None:
    bundle, engine = thin_plan().make()
    broken = EnginePlan(tmp_path / "none", "cpu", Precision.FP32, 1, Scope())
    with (
        Measurement(bundle, engine, CHOICE, tmp_path, CrewPlan(broken, 1)) as measurement,
        pytest.raises(InputError, match=r"none/manifest.json: No such file"),
    ):
        measurement.show(frames, 7, lambda seen: None)


class TestSpill:
    def test_records_come_back_in_any_order(self, tmp_path: Path) -> None:
        values = np.random.default_rng(0).random((5, 6), np.float32)
        with Spill(tmp_path, 24, None) as spill:
            for slot in (3, 0, 4, 1, 2):
                spill.write(slot, values[slot, :2], values[slot, 2:])
            other = Spill.join(spill.path, 24)
            for slot in range(5):
                np.testing.assert_array_equal(spill.read(slot).view(np.float32), values[slot])
                np.testing.assert_array_equal(other.read(slot).view(np.float32), values[slot])
            other.close()
            with pytest.raises(ValueError, match="record 9 was not written"):
                spill.read(9)
        assert list(tmp_path.iterdir()) == []

    def test_a_disk_that_is_too_small_is_refused_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"calibrating on 1000 frames takes \d+\.0 GB of disk"):
            Spill(tmp_path, 10**15, 1000)

    def test_a_disk_that_runs_full_is_told(
        self, bundle: Bundle, frames: Sequence[Shown], tmp_path: Path
    ) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, hard))
        try:
            with pytest.raises(InputError, match=r"File too large after \d frames; make room"):
                measured(bundle, Engine(bundle), frames, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
