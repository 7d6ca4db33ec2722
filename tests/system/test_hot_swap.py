"""From one recipe to another while the line runs, with real cameras and sockets."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.messages import AlarmCode, State, Verdict
from daemon.replies import Reply
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from models import recipe_store as store
from tests.editing import edit_recipe
from tests.system.line import EXPECTED, LIMIT, Line, assert_accounted, station

Patient = Callable[..., Path]
Images = list[NDArray[np.uint8]]
NEVER_LATE = 600_000  # ms


@pytest.fixture
def library(patient: Patient) -> Path:
    """``first`` of two versions, ``other`` with number 7, and ``broken``, which has no bundle."""
    recipe = patient(NEVER_LATE)
    folder = recipe.parent
    first = recipe.rename(folder / "first")
    for name, changes in (
        ("other", {"id": 7}),
        ("broken", {"bundle": "../nowhere"}),
        ("first", {}),
    ):
        if name != "first":
            shutil.copytree(first, folder / name)
        edit_recipe(folder / name, name=name, **changes)
    second = store.read(first).model_copy(update={"version": 2, "created": ""})
    store.add(first, second, {})
    return folder


def by(verdict: Verdict) -> tuple[str | None, int | None]:
    return verdict.recipe, verdict.recipe_version


def refused(reply: Reply, *said: str) -> None:
    assert not reply.ok
    assert len(str(reply.error).splitlines()) == 1
    for words in said:
        assert words in str(reply.error)


def first_of(reply: Reply) -> int:
    assert reply.ok, reply.error
    assert reply.activated is not None
    assert reply.activated.first is not None
    return reply.activated.first


def test_a_line_that_runs_changes_its_recipe_at_one_part_and_loses_none(
    library: Path, shown: Images, tmp_path: Path
) -> None:
    camera = CameraScene("A1", shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE)
    settings = station(library / "first", 'trigger = "hardware"')
    with Scene.create(tmp_path / "scene", [camera]) as scene:
        with Line(tmp_path, settings, scene) as line:
            line.running()

            def activate(**request: Any) -> Reply:
                """Keep the line busy, three triggers on their way, until it is done and beyond."""
                with ThreadPoolExecutor(1) as other:
                    asked = other.submit(line.ask, command="ActivateRecipe", **request)
                    busy(lambda: asked.done())
                    done = len(line.verdicts) + 2
                    busy(lambda: len(line.verdicts) >= done)
                return asked.result()

            def busy(until: Callable[[], bool]) -> None:
                def reached() -> bool:
                    if scene.triggers("A1") < len(line.verdicts) + 3:
                        scene.pulse("A1")
                    return until()

                line.until(reached, "an activation")

            changes = {
                first_of(activate(version=2)): ("first", 2),
                first_of(activate(recipe=7)): ("other", 1),
                first_of(activate(recipe="first", version=1)): ("first", 1),
                first_of(activate(recipe="other")): ("other", 1),
            }
            refused(activate(recipe="broken"), "nowhere")
            refused(activate(version=9), "there is no version 9")
            refused(activate(recipe="none"), "no recipe 'none'", "other")
            shutil.copytree(library / "other", library / "damaged")
            edit_recipe(library / "damaged", name="damaged", alpha=0.25)
            refused(activate(recipe="damaged"), "alpha", "effad-calibrate")
            running = line.ask(command="GetState").recipes
            assert line.stop() == 0
            log = scene.log("A1")
        assert_accounted(log, line.verdicts, EXPECTED)
        expected = ("first", 1)
        for verdict in line.verdicts:
            expected = changes.get(verdict.seq, expected)
            assert by(verdict) == expected, verdict.seq
        assert running is not None
        assert (running["nut"].recipe, running["nut"].number) == ("other", 7)
        assert [a.code for a in line.alarms].count(AlarmCode.RECIPE) == len(changes)
        assert "wanted" in next(a.text for a in line.alarms if a.code is AlarmCode.RECIPE)
        audit_tells_who_activated_what(tmp_path / "state" / "journal.db")
        what_was_activated_outlives_a_restart(library, scene, tmp_path)


def audit_tells_who_activated_what(journal: Path) -> None:
    with sqlite3.connect(journal) as connection:
        rows = connection.execute("SELECT ok, request FROM audit ORDER BY id").fetchall()
    connection.close()
    assert [bool(ok) for ok, _ in rows] == [True] * 4 + [False] * 4
    assert json.loads(rows[1][1])["recipe"] == 7


def what_was_activated_outlives_a_restart(library: Path, scene: Scene, tmp_path: Path) -> None:
    with Line(tmp_path, station(library / "first", 'trigger = "hardware"'), scene) as line:
        line.running()
        scene.pulse("A1")
        line.until(lambda: len(line.verdicts) == 1, "a verdict")
        assert line.stop() == 0
    assert by(line.verdicts[0]) == ("other", 1)
    with Line(tmp_path, station(library / "damaged"), scene) as line:
        line.process.wait(LIMIT)
        assert "alpha" in line.log.read_text(), "what the settings name since is heard"


def two_cameras(recipe: Path) -> str:
    cameras = (
        f'[[stations.cameras]]\nname = "{name}"\nproducer = "simulator"\nserial = "{serial}"\n'
        'trigger = "hardware"\ncounter_poll_ms = 20'
        for name, serial in (("left", "A1"), ("right", "B2"))
    )
    return "\n".join(
        [f'[[stations]]\nname = "nut"\nrecipe = "{recipe}"\ngroup_window_ms = 60000', *cameras]
    )


def test_all_views_of_a_part_are_judged_by_what_it_was_opened_under(
    library: Path, shown: Images, tmp_path: Path
) -> None:
    serials = ("A1", "B2")
    cameras = [
        CameraScene(s, shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE) for s in serials
    ]
    with (
        Scene.create(tmp_path / "scene", cameras) as scene,
        Line(tmp_path, two_cameras(library / "first"), scene) as line,
    ):
        line.running()
        scene.pulse("A1")
        line.until(lambda: len(line.partial) == 1, "the first view")
        first = first_of(line.ask(command="ActivateRecipe", recipe="other"))
        scene.pulse("B2")
        line.until(lambda: len(line.verdicts) == 1, "the part")
        for serial in serials:
            scene.pulse(serial)
        line.until(lambda: len(line.verdicts) == 2, "the next part")
        assert line.stop() == 0
    assert first == 2
    assert [by(v) for v in line.verdicts] == [("first", 1), ("other", 1)]
    assert all(len(v.views) == 2 and v.reason is None for v in line.verdicts)
    assert by(line.partial[0]) == ("first", 1)


def test_cameras_are_set_as_the_recipe_says_or_all_stays_as_it_was(
    library: Path, shown: Images, tmp_path: Path
) -> None:
    edit_recipe(library / "other", camera={"*": {"exposure_us": 1500.0, "gain_db": 6.0}})
    for name, gain in (("loud", 99.0), ("first", 3.0)):
        if name != "first":
            shutil.copytree(library / "first", library / name)
        edit_recipe(library / name, name=name, camera={"cam1": {"gain_db": gain}})
    camera = CameraScene("A1", shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE)
    settings = station(library / "first", 'trigger = "hardware"')
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        refused(line.ask(command="ActivateRecipe", recipe="loud"), "camera cam1", "Gain = 99.0")
        scene.pulse("A1")
        line.until(lambda: len(line.verdicts) == 1, "a part by the recipe that stayed")
        assert first_of(line.ask(command="ActivateRecipe", recipe="other")) == 2
        scene.pulse("A1")
        line.until(lambda: len(line.verdicts) == 2, "a part by the new one")
        assert line.stop() == 0
    assert [by(v) for v in line.verdicts] == [("first", 1), ("other", 1)]
    assert all(v.reason is None for v in line.verdicts)


def test_a_recipe_looks_on_and_is_compared_before_it_is_activated(
    library: Path, shown: Images, tmp_path: Path
) -> None:
    camera = CameraScene("A1", shown, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE)
    settings = station(library / "first", 'trigger = "hardware"')
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        refused(line.ask(command="GetShadow"), "no recipe looks on")
        begun = line.ask(command="Shadow", recipe="other")
        assert begun.shadow is not None
        assert begun.shadow.shadow.recipe == "other"

        def compared() -> bool:
            if scene.triggers("A1") == len(line.verdicts):
                scene.pulse("A1")
            report = line.ask(command="GetShadow").shadow
            return report is not None and report.compared >= 3

        line.until(compared, "3 parts compared")
        reply = line.ask(command="ActivateRecipe", recipe="other")
        first = first_of(reply)
        refused(line.ask(command="GetShadow"), "no recipe looks on")
        assert line.ask(command="Shadow", on=False).ok
        scene.pulse("A1")
        line.until(lambda: len(line.verdicts) >= first, "the first by the new one")
        assert line.stop() == 0
    assert reply.activated is not None
    shadow = reply.activated.shadow
    assert shadow is not None
    assert (shadow.agreement, shadow.failed) == (1.0, 0), "the same bundle and calibration"
    assert shadow.compared == shadow.both_pass + shadow.both_fail
    assert shadow.deciding_scores == shadow.shadow_scores
    assert {by(v) for v in line.verdicts} == {("first", 1), ("other", 1)}, "it decided nothing"
    assert [by(v) == ("other", 1) for v in line.verdicts] == [v.seq >= first for v in line.verdicts]


def test_without_a_job_it_is_for_the_next_one_if_the_cameras_fit(
    library: Path, tmp_path: Path
) -> None:
    small = [np.full((64, 64), 90, np.uint8)]
    camera = CameraScene("A1", small, PixelFormat.MONO8, trigger=TriggerMode.HARDWARE)
    settings = station(Path(), 'trigger = "hardware"').replace('recipe = "."', 'recipe = ""')
    settings += f'\n[recipes]\nfolder = "{library}"\n'
    with (
        Scene.create(tmp_path / "scene", [camera]) as scene,
        Line(tmp_path, settings, scene) as line,
    ):
        line.running()
        reply = line.ask(command="ActivateRecipe", recipe="first")
        refused(reply, "64 x 64", "128 x 128", "StopJob")
        refused(line.ask(command="ActivateRecipe"), "the station has no recipe; name")
        assert line.ask(command="StopJob").ok
        line.until(lambda: State.READY in line.states, "the job's end")
        refused(line.ask(command="ActivateRecipe", recipe="first"), "64 x 64", "128 x 128")
        assert line.ask(command="GetState").recipes == {}
        assert line.ask(command="StartJob").ok
        line.states.clear()
        line.until(lambda: State.CONTINUOUS_EXECUTION in line.states, "the next job")
        assert line.stop() == 0
