"""Recipes are found by name or number, and never guessed."""

from pathlib import Path

import pytest

from models import recipe_store as store
from models.errors import InputError
from models.recipe_library import check_free, folders
from models.recipe_record import Recipe


def make(library: Path, folder: str, name: str | None = None, number: int | None = None) -> Path:
    path = library / folder
    version = store.next_version(path)
    recipe = Recipe(
        name=name or folder,
        id=number,
        version=version,
        bundle="b",
        calibration="calibration-1.json",
    )
    store.add(path, recipe, {} if version > 1 else {"calibration-1.json": b"1"})
    store.activate(path, version, who="", why="")
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    make(tmp_path, "nut", number=7)
    make(tmp_path, "bolt", number=8)
    make(tmp_path, "9")
    (tmp_path / "no recipe").mkdir()
    (tmp_path / "a file").touch()
    return tmp_path


def test_by_name_and_by_number(library: Path) -> None:
    assert [folder.name for folder in folders(library)] == ["9", "bolt", "nut"]
    assert store.find(library, "nut") == store.find(library, 7) == store.find(library, "7")
    assert store.find(library, "9").name == "9"
    for unknown in ("screw", 10, "../nut", ""):
        with pytest.raises(InputError, match=r"there are: 9, bolt \(8\), nut \(7\)"):
            store.find(library, unknown)


def test_a_name_of_digits_goes_before_a_number(library: Path) -> None:
    make(library, "washer", number=9)
    assert store.find(library, "9").name == "9"
    assert store.find(library, 9).name == "washer"


def test_two_of_one_number_are_refused(library: Path) -> None:
    make(library, "copy", number=7)
    with pytest.raises(InputError, match=r"copy and .*nut are both recipe 7; give one of them"):
        store.find(library, 7)
    with pytest.raises(InputError, match=r"number 8 is that of bolt, version 1"):
        check_free(library, library / "nut", "nut", 8)
    with pytest.raises(InputError, match=r"bolt is named bolt; choose another name"):
        check_free(library, library / "nut", "bolt", None)
    check_free(library, library / "bolt", "bolt", 8)


def test_the_number_of_an_old_version_is_taken(library: Path) -> None:
    make(library, "bolt", number=80)
    assert store.find(library, 80).name == "bolt"
    with pytest.raises(InputError, match="no recipe 8;"):
        store.find(library, 8)
    with pytest.raises(InputError, match="number 8 is that of bolt, version 1"):
        check_free(library, library / "nut", "nut", 8)


def test_a_damaged_one_hides_no_other(library: Path) -> None:
    file = library / "nut" / "recipe-1.json"
    file.unlink()
    file.write_text("{")
    assert store.find(library, 8).name == "bolt"
    with pytest.raises(InputError, match=r"no recipe 7; .*and damaged: .*recipe-1\.json: no JSON"):
        store.find(library, 7)
    check_free(library, library / "bolt", "bolt", 8)
