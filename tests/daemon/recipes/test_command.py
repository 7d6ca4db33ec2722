"""Versions are listed, shown, compared, activated and taken back by command."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from daemon.recipes.activate import told
from daemon.replies import Reply
from models import recipe_store as store
from tests.daemon.recipes.conftest import Recipes
from tests.editing import edit, edit_recipe


def test_a_library_is_listed(library: Path, effad_recipe: Recipes) -> None:
    said = effad_recipe("edit", library / "nut", "--set", "id=7", "--activate")
    assert said.status == 0
    status, out, err = effad_recipe("list", library)
    assert (status, err) == (0, "")
    headings, row = (line.split() for line in out.splitlines())
    found = dict(zip(headings, row, strict=True))
    assert found["NAME"] == "nut"
    assert (found["NUMBER"], found["ACTIVE"], found["VERSIONS"], found["PARTS"]) == (
        *("7", "2", "2"),
        "4",
    )
    (row_,) = json.loads(effad_recipe("list", library, "--json").out)
    assert row_["threshold"] == pytest.approx(float(found["THRESHOLD"]), abs=1e-4)


def test_what_is_wrong_with_recipes_is_listed(library: Path, effad_recipe: Recipes) -> None:
    for name in ("bolt", "ring", "disc", "stud"):
        shutil.copytree(library / "nut", library / name)
        edit_recipe(library / name, name=name)
    edit_recipe(library / "bolt", bundle="../../gone")
    edit(library / "ring" / "recipe-1.json", lambda recipe: recipe.update(alpha=3))
    edit_recipe(library / "nut", id=7)
    edit_recipe(library / "disc", id=7)
    (library / "stud" / "active.json").unlink()
    status, out, _ = effad_recipe("list", library)
    assert status == 1
    told_of = dict(line.split(": ", 1) for line in out.splitlines()[6:])
    assert told_of["bolt"].startswith(f"{library}/bolt/recipe-1.json: its bundle ")
    assert "alpha = 3" in told_of["ring"]
    assert told_of["disc"] == told_of["nut"] == "2 recipes have number 7"
    assert told_of["stud"] == "no version is active"


def test_a_version_is_shown(nut: Path, effad_recipe: Recipes) -> None:
    effad_recipe("edit", nut, "--set", "deadline_ms=900")
    out = effad_recipe("show", nut).out
    assert "recipe nut, version 1 of 20" in out
    assert ": active" in out
    assert "versions: [1]  2" in out
    assert "false reject rate" in out
    shown = json.loads(effad_recipe("show", nut, "--version", 2, "--json").out)
    assert (shown["version"], shown["deadline_ms"]) == (2, 900)


def test_what_differs_is_told_and_whether_the_threshold_does(
    nut: Path, effad_recipe: Recipes
) -> None:
    effad_recipe("edit", nut, "--set", "deadline_ms=900", "--set", "camera.top.gain_db=3")
    status, out, _ = effad_recipe("diff", nut, 1, 2)
    assert status == 1
    lines = out.splitlines()
    assert lines[0] == "deadline_ms: 2000 -> 900"
    assert "camera.top.gain_db: null -> 3.0" in lines
    assert lines[-1].startswith("the threshold stays: ")
    effad_recipe("edit", nut, "--set", "alpha=0.4")
    _, out, _ = effad_recipe("diff", nut, 1, 3)
    assert "alpha: 0.5 -> 0.4" in out
    assert "alpha: another threshold is needed" in out
    assert "threshold of version 3: not valid" in out
    assert effad_recipe("diff", nut, 1, 1).status == 0


def test_activate_and_rollback(nut: Path, effad_recipe: Recipes) -> None:
    effad_recipe("edit", nut, "--set", "deadline_ms=900")
    said = effad_recipe("activate", nut, "--version", 2, "--why", "slower line")
    assert said.status == 0
    assert "version 2 is active (before: 1), threshold " in said.out
    assert store.active(nut) == 2
    assert store.history(nut)[-1].why == "slower line"
    assert "is the active one already" in effad_recipe("activate", nut, "--version", 2).out
    asked = effad_recipe("activate", nut)
    assert asked.status == 2
    assert "has versions 1, 2, of which 2 is active; say which" in asked.err
    assert "back from version 2 to version 1" in effad_recipe("rollback", nut).out
    assert store.active(nut) == 1
    assert effad_recipe("rollback", nut).status == 2


def test_a_version_that_does_not_load_is_not_activated(nut: Path, effad_recipe: Recipes) -> None:
    effad_recipe("edit", nut, "--set", "alpha=0.4")
    status, _, err = effad_recipe("activate", nut, "--version", 2)
    assert status == 2
    assert "alpha = 0.4, but the threshold was made with 0.5" in err
    assert store.active(nut) == 1
    (nut.parents[1] / "bundle").rename(nut.parents[1] / "elsewhere")
    status, _, err = effad_recipe("activate", nut, "--version", 1)
    assert status == 2
    assert "its bundle " in err


def test_rollback_to_what_no_longer_loads_is_refused(nut: Path, effad_recipe: Recipes) -> None:
    effad_recipe("edit", nut, "--set", "deadline_ms=900", "--activate")
    edit(nut / "recipe-1.json", lambda recipe: recipe.update(alpha=0.9))
    status, _, err = effad_recipe("rollback", nut)
    assert status == 2
    assert "alpha = 0.9" in err
    assert store.active(nut) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "{}/nut", "--version", 9], "recipe-9.json: there is no version 9; there are: 1"),
        (["show", "{}/bolt"], "{}/bolt: no such folder"),
        (["activate", "{}"], "{}: no recipe here"),
        (["rollback", "{}/bolt"], "{}/bolt: no recipe here"),
        (["list", "{}/bolt"], "{}/bolt: No such file or directory; name a folder of recipes"),
        (["activate", "{}/nut", "--station", "a"], "--station, --server-key and --key go with"),
        (["activate", "{}/bolt", "--daemon", "ipc:///none"], "{}/bolt: no recipe here"),
        (["edit", "{}/nut"], "nothing to do"),
        (["edit", "{}/nut", "--set", "alpha=0.5"], "version 1 is so already"),
        (["edit", "{}/nut", "--set", "colour=3"], "--set colour=3: not KEY=VALUE with one of"),
        (["edit", "{}/nut", "--set", "version=3"], "version is counted by effad"),
        (["edit", "{}/nut", "--set", "alpha=high"], "alpha = 'high'"),
        (["edit", "{}/nut", "--set", "camera.top.features.Width=3"], "feature Width is not"),
        (["edit", "{}/nut", "--set", "name.x=3"], "--set name.x=3: name is no table"),
    ],
)
def test_faults_are_one_line(
    words: list[Any], said: str, library: Path, effad_recipe: Recipes
) -> None:
    status, out, err = effad_recipe(*(str(word).replace("{}", str(library)) for word in words))
    assert (status, out) == (2, "")
    assert err.startswith("effad-recipe: error: ")
    assert said.replace("{}", str(library)) in err
    assert err.count("\n") == 1
    assert store.versions(library / "nut") == (1,)


def test_what_a_daemon_answers_is_told() -> None:
    one = {"recipe": "nut", "number": 7, "version": 3, "bundle": "b", "calibration": "c"}
    done = {
        "station": "s",
        "now": {**one, "engine": "e"},
        "before": None,
        "first": 41,
        "loading_ms": 1234.0,
        "switching_ms": 1.0,
    }
    (line,) = told(Reply.model_validate({"id": "", "ok": True, "activated": done}))
    assert line == (
        "station s: recipe nut version 3 judges from part 41 on (before: none);"
        " loaded in 1.2 s beside the line"
    )
