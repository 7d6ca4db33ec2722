"""Versions on disk: never changed, never half there, and one of them active."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import recipe_store as store
from models.errors import InputError
from models.recipe_record import Recipe
from models.version_files import publish


def version_of(folder: Path, number: int | None = None, **fields: object) -> Recipe:
    number = number or store.next_version(folder)
    whole = {"name": folder.name, "version": number, "bundle": "../bundle"}
    return Recipe.model_validate({**whole, "calibration": f"calibration-{number}.json", **fields})


def add(folder: Path) -> Recipe:
    recipe = version_of(folder)
    return store.add(folder, recipe, {recipe.calibration: b"%d" % recipe.version})


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def nut(tmp_path: Path) -> Path:
    """A recipe of three versions, the second active."""
    folder = tmp_path / "nut"
    for _ in range(3):
        add(folder)
    store.activate(folder, 2, who="Ann", why="lot 7")
    return folder


def test_a_version_is_whole_hashed_dated_and_read_only(nut: Path) -> None:
    found = store.read(nut)
    assert (found.version, found.calibration) == (2, "calibration-2.json")
    assert list(found.files) == ["calibration-2.json"]
    assert found.created.endswith("Z")
    for name in ("recipe-2.json", "calibration-2.json"):
        assert stat.S_IMODE((nut / name).stat().st_mode) == 0o444
    assert store.versions(nut) == (1, 2, 3)
    assert store.next_version(nut) == 4
    assert not [name for name in content(nut) if name.startswith(".")]


def test_a_version_that_exists_is_not_written_again(nut: Path) -> None:
    before = content(nut)
    for recipe in (version_of(nut, 3), version_of(nut, 4, calibration="calibration-1.json")):
        with pytest.raises(InputError, match=r"do(es)? not change"):
            store.add(nut, recipe, {recipe.calibration: b"other"})
    assert content(nut) == before


def test_a_version_may_name_what_an_older_one_brought(nut: Path) -> None:
    kept = store.add(nut, version_of(nut, calibration="calibration-2.json", alpha=0.5), {})
    assert kept.files == store.read(nut, 2).files
    with pytest.raises(InputError, match=r"calibration-9\.json: missing"):
        store.add(nut, version_of(nut, calibration="calibration-9.json"), {})
    assert store.versions(nut) == (1, 2, 3, 4)


def test_what_a_killed_writer_left_is_written_over(nut: Path) -> None:
    (nut / "calibration-4.json").write_bytes(b"half")
    (nut / ".recipe-4.json.77.partial").write_bytes(b"{")
    assert store.versions(nut) == (1, 2, 3)
    with store.locked(nut):
        add(nut)
    store.check_files(nut, store.read(nut, 4))
    assert not list(nut.glob(".*.partial"))


def test_a_changed_file_is_refused(nut: Path) -> None:
    file = nut / "calibration-3.json"
    file.unlink()
    file.write_bytes(b"changed")
    with pytest.raises(InputError, match="not the file that version 3"):
        store.activate(nut, 3, who="Ann", why="")
    assert store.active(nut) == 2


def test_of_two_that_write_one_version_the_first_stays(nut: Path) -> None:
    """Where a lock does not hold, as on some network disks."""
    before = content(nut)
    with pytest.raises(InputError, match="exists, and versions do not change"):
        publish(nut / "recipe-3.json", b"{}")
    assert content(nut) == before


@pytest.mark.parametrize("version", [0, 4])
def test_a_version_that_is_not_there_is_not_activated(nut: Path, version: int) -> None:
    with pytest.raises(InputError, match=rf"no version {version}; there are: 1, 2, 3"):
        store.activate(nut, version, who="Ann", why="")
    assert store.active(nut) == 2


def test_rollback_goes_back_as_often_as_it_is_asked(nut: Path) -> None:
    for version in (3, 1):
        store.activate(nut, version, who="Ann", why="")
    assert store.rollback(nut, who="Bob") == store.active(nut) == 3
    assert store.rollback(nut, who="Bob") == store.active(nut) == 2
    with pytest.raises(InputError, match="no version was active before"):
        store.rollback(nut, who="Bob")
    last = store.history(nut)[-1]
    assert (last.version, last.who, last.why, last.back) == (
        2,
        "Bob",
        "rollback from version 3",
        True,
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 3) | st.none(), max_size=6), st.integers(1, 3))
def test_a_rollback_takes_back_the_newest_activation(
    nut: Path, steps: list[int | None], newest: int
) -> None:
    for name in (store.ACTIVE, store.HISTORY):
        (nut / name).unlink()
    store.activate(nut, 2, who="", why="")
    for step in steps:
        if step is not None:
            store.activate(nut, step, who="", why="")
        elif len({line.version for line in store.history(nut)}) > 1:
            try:
                store.rollback(nut, who="")
            except InputError:
                continue
    was = store.active(nut)
    if was != newest:
        store.activate(nut, newest, who="", why="")
        assert store.rollback(nut, who="") == was


def test_activating_the_active_one_changes_nothing(nut: Path) -> None:
    before = content(nut)
    store.activate(nut, 2, who="Bob", why="again")
    assert content(nut) == before


def test_an_activation_that_a_killed_process_did_not_note_is_noted(nut: Path) -> None:
    before = (nut / store.HISTORY).read_bytes()
    store.activate(nut, 3, who="Ann", why="")
    (nut / store.HISTORY).unlink()
    (nut / store.HISTORY).write_bytes(before)
    assert [line.version for line in store.history(nut)] == [2, 3]
    store.activate(nut, 1, who="Ann", why="")
    lines = (nut / store.HISTORY).read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [2, 3, 1]


def test_a_recipe_without_an_active_version_says_what_to_do(tmp_path: Path) -> None:
    add(tmp_path / "new")
    assert store.active(tmp_path / "new") is None
    with pytest.raises(InputError, match=r"none of its versions \(1\) is active; run effad-recipe"):
        store.read(tmp_path / "new")
    with pytest.raises(InputError, match="no such folder"):
        store.read(tmp_path / "none")


def test_damaged_files_are_named(nut: Path) -> None:
    for name, damage in (("history.jsonl", "{}\n"), ("active.json", "{"), ("recipe-2.json", "[]")):
        (nut / name).unlink()
        (nut / name).write_text(damage)
    with pytest.raises(InputError, match=r"recipe-2\.json: "):
        store.read(nut, 2)
    with pytest.raises(InputError, match=r"active\.json: no JSON"):
        store.read(nut)
    with pytest.raises(InputError, match=r"history\.jsonl:1: key 'time' is missing"):
        store.history(nut)


def test_the_second_is_refused_and_told_who_is_first(nut: Path) -> None:
    said = rf"is being changed by process {os.getpid()} \("
    with store.locked(nut), pytest.raises(InputError, match=said), store.locked(nut):
        pass
    with store.locked(nut):
        pass


def test_a_new_folder_that_came_to_nothing_is_gone(tmp_path: Path) -> None:
    with store.locked(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert list(tmp_path.iterdir()) == []
    with store.locked(tmp_path / "new"):
        add(tmp_path / "new")
    assert store.versions(tmp_path / "new") == (1,)


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let no file grow over a limit of bytes: as a full disk, the write fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_versions_as_they_were(nut: Path) -> None:
    before = content(nut)
    recipe = version_of(nut)
    with small_files(4096), pytest.raises(InputError, match=r"calibration-4\.json: not written"):
        store.add(nut, recipe, {recipe.calibration: bytes(9000)})
    with small_files(8), pytest.raises(InputError, match=r"active\.json: not written"):
        store.activate(nut, 3, who="Ann", why="")
    assert content(nut) == before


def test_killed_at_any_line_it_leaves_whole_versions(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_writer.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60
