"""The daemon tells a drift of its good parts, once in ten minutes, and what it comes from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.claims import Claim, Seen
from daemon.frames import Frame, Lease
from daemon.inspection.drift import FOLDER, DriftWatch
from daemon.inspection.infer import Inspector
from daemon.inspection.judging import Judging
from daemon.inspection.outcome import Origin, verdict_of
from daemon.messages import AlarmCode, Part, Reason, TriggerSource
from daemon.parts import Inspected, Settled, SettledView, Unseen
from models import recipe as recipes
from models.calibration import AnomalyMap
from models.drift import DriftReference
from models.engine import Engine
from models.geometry import Whole
from models.light import light
from models.pixel_format import PixelFormat
from models.recipe import LoadedRecipe

Image = NDArray[np.uint8]
ORIGIN = Origin(epoch=7, job="job", code="0")
PLACEMENT = Whole(128, 128).placement


def picture(rng: np.random.Generator, brightness: float = 1.0) -> Image:
    """A frame in a light that varies by a few per cent."""
    x = np.arange(96) // 3 % 2 * 60 + 100
    gain = brightness * (1 + 0.03 * rng.standard_normal())
    made: Image = np.clip(np.broadcast_to(x, (96, 96)) * gain, 0, 255).astype(np.uint8)
    return made


def score(rng: np.random.Generator) -> float:
    return float(0.1 + 0.01 * rng.standard_normal())


@pytest.fixture
def loaded(tiny_recipe: Path) -> LoadedRecipe:
    """A recipe whose calibration has seen 60 frames such as ``picture`` gives."""
    known = recipes.load(tiny_recipe)
    rng = np.random.default_rng(1)
    lights = [light(picture(rng), PixelFormat.MONO8) for _ in range(60)]
    reference = DriftReference(
        score=tuple(score(rng) for _ in lights),
        local=tuple(score(rng) for _ in lights),
        brightness=tuple(seen.brightness for seen in lights),
        sharpness=tuple(seen.sharpness for seen in lights),
    )
    changed = known.calibration.model_copy(update={"drift": reference, "threshold": 0.5})
    return replace(known, calibration=changed)


class Watch:
    """A watch, what it told, and a clock that a test sets."""

    def __init__(self, folder: Path, recipe: LoadedRecipe) -> None:
        self.told: list[tuple[AlarmCode, str, str]] = []
        self.now = 0.0
        self.drift = DriftWatch(folder, ["nut"], self._tell, lambda: self.now)
        self.use(recipe)
        self.rng = np.random.default_rng(2)
        self.number = 0

    def _tell(self, code: AlarmCode, station: str, text: str) -> None:
        self.told.append((code, station, text))

    def use(self, recipe: LoadedRecipe) -> None:
        self.judging = Judging(recipe, (Inspector(Engine(recipe.bundle), recipe),))

    @property
    def codes(self) -> list[AlarmCode]:
        return [code for code, _, _ in self.told]

    def show(self, frames: int, *, brightness: float = 1.0, worse: float = 0.0) -> None:
        for _ in range(frames):
            self.see(picture(self.rng, brightness), score(self.rng) + worse)

    def see(self, pixels: Image, scored: float, cameras: Sequence[str] = ("cam",)) -> None:
        self.number += 1
        values = torch.zeros(PLACEMENT.cells)
        values[0, 0] = scored
        views = []
        for camera in cameras:
            claim = Claim("nut", self.number, camera)
            frame = Frame(claim, pixels, PixelFormat.MONO8, Lease(lambda: None))
            result = Inspected(AnomalyMap(values, PLACEMENT), frame, 3, 4, score(self.rng))
            seen = Seen(self.number, self.number, None, 1, 2)
            views.append(SettledView(camera, self.number, self.number, seen, result))
        self.settle(tuple(views))

    def settle(self, views: tuple[SettledView, ...]) -> None:
        source = TriggerSource.HARDWARE
        part = Settled("nut", self.number, Part(), source, 1, float("inf"), views)
        part = replace(part, judging=self.judging)
        self.drift.see(part, verdict_of(part, ORIGIN))


@pytest.fixture
def watch(tmp_path: Path, loaded: LoadedRecipe) -> Watch:
    return Watch(tmp_path, loaded)


def test_good_parts_raise_nothing(watch: Watch) -> None:
    watch.show(800)
    assert watch.told == []
    readings = watch.drift.readings()
    assert {channel for _, channel in readings} == {"score", "local", "brightness", "sharpness"}
    assert not any(reading.over for reading in readings.values())
    assert all(abs(reading.level) < 1 for reading in readings.values())


def test_a_dimmed_light_is_told_as_light_with_numbers(watch: Watch) -> None:
    watch.show(400)
    watch.show(50, brightness=0.85)
    ((code, station, text),) = watch.told
    assert (code, station) == (AlarmCode.DRIFT, "nut")
    assert text.startswith("light: ")
    assert "brightness fell from 0.5098 to 0.4" in text
    assert watch.drift.readings()["nut", "brightness"].over
    assert watch.drift.readings()["nut", "brightness"].level == -1


def test_worse_scores_alone_are_told_as_the_product(watch: Watch) -> None:
    watch.show(400)
    watch.show(60, worse=0.02)
    ((_, _, text),) = watch.told
    assert text.startswith("product: ")
    assert "score rose from 0.1" in text


def test_it_is_repeated_after_ten_minutes_and_not_before(watch: Watch) -> None:
    watch.show(400)
    watch.show(100, worse=0.02)
    watch.now = 599.0
    watch.show(3, worse=0.02)
    assert watch.codes == [AlarmCode.DRIFT]
    watch.now = 601.0
    watch.show(3, worse=0.02)
    assert watch.codes == [AlarmCode.DRIFT] * 2


def test_what_turns_out_to_be_the_light_is_told_at_once(watch: Watch) -> None:
    watch.show(400)
    watch.show(60, worse=0.02)
    watch.show(60, worse=0.02, brightness=0.85)
    assert watch.codes == [AlarmCode.DRIFT] * 2
    assert watch.told[1][2].startswith("light: ")


def test_it_is_told_when_it_has_passed(watch: Watch) -> None:
    watch.show(400)
    watch.show(60, worse=0.02)
    watch.show(600)
    assert watch.codes == [AlarmCode.DRIFT, AlarmCode.DRIFT_OFF]
    assert "again" in watch.told[1][2]


def test_another_version_begins_anew(watch: Watch, loaded: LoadedRecipe) -> None:
    watch.show(400)
    watch.show(60, worse=0.02)
    recipe = loaded.recipe.model_copy(update={"version": loaded.recipe.version + 1})
    watch.use(replace(loaded, recipe=recipe))
    watch.show(1)
    assert watch.codes == [AlarmCode.DRIFT, AlarmCode.DRIFT_OFF]
    assert not any(reading.over for reading in watch.drift.readings().values())


def test_parts_that_fail_or_were_not_seen_teach_nothing(watch: Watch) -> None:
    watch.show(10)
    before = watch.drift.readings()
    for _ in range(50):
        watch.see(picture(watch.rng, 0.5), 0.9)
    unseen = SettledView("cam", 1, 1, None, Unseen(Reason.LATE, ""))
    watch.settle((unseen,))
    assert watch.drift.readings() == before


def test_each_view_of_a_part_counts(watch: Watch, tmp_path: Path) -> None:
    watch.see(picture(watch.rng), 0.1, ("left", "right"))
    watch.drift.close()
    kept = (tmp_path / FOLDER / "nut.json").read_text()
    assert kept.count('"count":') == 4
    again = Watch(tmp_path, watch.judging.recipe)
    again.show(1)


def test_what_is_known_outlives_a_restart(watch: Watch, tmp_path: Path) -> None:
    watch.show(400)
    watch.show(12, brightness=0.9)
    watch.drift.close()
    levels = {k: r.level for k, r in watch.drift.readings().items()}
    assert abs(levels["nut", "brightness"]) > 0.1
    again = Watch(tmp_path, watch.judging.recipe)
    again.see(picture(again.rng, 0.9), 0.1)
    for key, reading in again.drift.readings().items():
        assert reading.level == pytest.approx(levels[key], abs=0.15), key


def test_what_was_known_under_another_calibration_is_forgotten(
    watch: Watch, tmp_path: Path
) -> None:
    watch.show(400)
    watch.show(12, brightness=0.9)
    watch.drift.close()
    again = Watch(tmp_path, replace(watch.judging.recipe, calibration_sha256="0" * 64))
    again.see(picture(again.rng), 0.1)
    assert all(abs(r.level) < 0.1 for r in again.drift.readings().values())


def test_a_damaged_file_costs_what_was_known_alone(watch: Watch, tmp_path: Path) -> None:
    watch.show(3)
    watch.drift.close()
    (tmp_path / FOLDER / "nut.json").write_text('{"format": 1, "calibr')
    again = Watch(tmp_path, watch.judging.recipe)
    again.show(3)
    assert len(again.drift.readings()) == 4
    assert again.told == []


def test_a_recipe_of_one_good_frame_is_not_watched(tmp_path: Path, loaded: LoadedRecipe) -> None:
    one = DriftReference(score=(0.1,), local=(0.1,), brightness=(0.5,), sharpness=(0.1,))
    calibration = loaded.calibration.model_copy(update={"drift": one})
    watch = Watch(tmp_path, replace(loaded, calibration=calibration))
    watch.show(3)
    assert watch.drift.readings() == {}


def test_a_score_at_the_threshold_is_no_good_part(watch: Watch) -> None:
    watch.see(picture(watch.rng), 0.5)
    assert watch.drift.readings() == {}
    watch.see(picture(watch.rng), 0.49)
    assert watch.drift.readings() != {}
