"""Who spoke last of a station's recipe is heard, also after a restart."""

from pathlib import Path

import pytest

from daemon.changeover import chosen as module
from daemon.changeover.chosen import FILE, Choice, Chosen, Wanted
from models import recipe_store as store
from models.errors import InputError
from models.recipe_record import Recipe


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Recipes a and b of two versions each, the second one active."""
    for name in ("a", "b"):
        for version in (1, 2):
            calibration = f"calibration-{version}.json"
            recipe = Recipe(name=name, version=version, bundle="../x", calibration=calibration)
            store.add(tmp_path / name, recipe, {calibration: b"{}"})
        store.activate(tmp_path / name, 2, who="test", why="test")
    return tmp_path


def chosen(library: Path, name: str = "b", version: int = 1) -> Chosen:
    """Give the choices as the next start reads them, b's first version having been activated."""
    (library / "state").mkdir(exist_ok=True)
    choice = Choice(
        settings=str(library / "a"),
        recipe=str(library / name),
        version=version,
        active=2,
        who="Ada",
        time_ns=1,
    )
    Chosen(library / "state").choose("nut", choice)
    return Chosen(library / "state")


def test_what_was_activated_runs_again(library: Path) -> None:
    assert chosen(library).wanted("nut", str(library / "a")) == Wanted(library / "b", 1)


def test_a_station_that_was_told_nothing_runs_what_the_settings_name(library: Path) -> None:
    known = chosen(library)
    assert known.wanted("bolt", str(library / "a")) == Wanted(library / "a")
    assert known.wanted("bolt", "") is None


def test_settings_that_name_another_recipe_since_are_heard(library: Path) -> None:
    known = chosen(library, name="a")
    assert known.wanted("nut", str(library / "b")) == Wanted(library / "b")
    assert known.wanted("nut", "") is None


def test_a_version_that_was_made_active_since_is_taken(library: Path) -> None:
    known = chosen(library)
    store.activate(library / "b", 1, who="test", why="back")
    assert known.wanted("nut", str(library / "a")) == Wanted(library / "b")


def test_a_version_that_is_gone_is_told_with_what_to_do(library: Path) -> None:
    with pytest.raises(InputError, match=r"Ada activated version 3 of .*/b, and it is not there"):
        chosen(library, version=3).wanted("nut", str(library / "a"))


def test_damage_is_told_with_what_to_do(library: Path) -> None:
    chosen(library)
    (library / "state" / FILE).write_text("{")
    with pytest.raises(InputError, match=r"no JSON .* remove the file"):
        Chosen(library / "state")


def test_a_choice_that_cannot_be_kept_is_refused_and_the_one_before_holds(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = chosen(library)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.records.write_whole", full)
    other = Choice(settings="", recipe="x", version=1, active=1, who="Ada", time_ns=1)
    with pytest.raises(InputError, match="No space left on device"):
        known.choose("nut", other)
    assert known.wanted("nut", str(library / "a")) == Wanted(library / "b", 1)
    assert module.Choices.read(library / "state" / FILE).stations["nut"].who == "Ada"
