"""A recipe as one file: the same bytes from the same version, and nothing believed on arrival."""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.recipes.export import export
from daemon.recipes.importing import take_up
from daemon.recipes.parcel import MANIFEST, Member, ParcelManifest, pack, unpack
from models import recipe as recipes
from models import recipe_store as store
from models.errors import InputError
from models.recipe_lock import LOCK
from tests.daemon.recipes.conftest import Recipes
from tests.editing import edit_recipe

_NAMES = st.from_regex(r"\A(recipe|bundle)/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,120}\Z")


def parcel(path: Path, content: dict[str, bytes]) -> ParcelManifest:
    """Write a parcel of members."""
    sources: dict[str, Path] = {}
    for number, (name, data) in enumerate(content.items()):
        sources[name] = path.with_name(f"source{number}")
        sources[name].write_bytes(data)
    members = {
        name: Member(size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in content.items()
    }
    manifest = ParcelManifest(name="nut", version=1, bundle="0" * 64, members=members)
    with path.open("wb") as file:
        pack(file, manifest, sources)
    return manifest


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LOCK
    }


@settings(max_examples=15)
@given(st.dictionaries(_NAMES, st.binary(max_size=3000), min_size=2, max_size=5))
def test_what_is_packed_is_unpacked_and_twice_the_same(content: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = parcel(folder / "a", content)
        parcel(folder / "b", dict(reversed(content.items())))
        assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
        (folder / "out").mkdir()
        assert unpack(folder / "a", folder / "out") == manifest
        assert content_of(folder / "out") == content


@settings(max_examples=80)
@given(st.data())
def test_a_damaged_parcel_is_refused_or_the_same(data: st.DataObject) -> None:
    content = {"recipe/recipe-1.json": b"{}", "bundle/manifest.json": bytes(range(256)) * 3}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = parcel(folder / "a", content)
        raw = bytearray((folder / "a").read_bytes())
        if data.draw(st.booleans()):
            place = data.draw(st.integers(0, len(raw) - 1))
            raw[place] ^= data.draw(st.integers(1, 255))
        else:
            del raw[data.draw(st.integers(0, len(raw) - 1)) :]
        (folder / "a").write_bytes(raw)
        (folder / "out").mkdir()
        try:
            found = unpack(folder / "a", folder / "out")
        except InputError as error:
            assert str(folder / "a") in str(error)  # noqa: PT017 (either way is right)
            return
        # Padding, times and owners, which nobody reads; or the manifest, held against the rest.
        assert found == manifest or found.members == manifest.members
        assert content_of(folder / "out") == content


def forged(path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    """Write a parcel of two members whose tar entries were changed."""
    parcel(path, {"recipe/recipe-1.json": b"{}", "bundle/manifest.json": b"[]"})
    with tarfile.open(path) as tar:
        entries = [(i, b"" if (f := tar.extractfile(i)) is None else f.read()) for i in tar]
    change(entries)
    with tarfile.open(path, "w") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))


def _entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def _rename_in_manifest(entries: list[tuple[tarfile.TarInfo, bytes]], name: str) -> None:
    manifest = json.loads(entries[0][1])
    manifest["members"][name] = manifest["members"].pop("bundle/manifest.json")
    entries[0] = _entry(MANIFEST, json.dumps(manifest).encode())
    entries[1] = _entry(name, b"[]")


_LINK: Any = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e.append(_entry("../evil", b"x")), "'../evil' is not one that it names"),
        (lambda e: e.append(_entry("recipe/more", b"x")), "is not one that it names"),
        (lambda e: e.append(e[1]), "is not one that it names"),
        (lambda e: e.pop(), "recipe/recipe-1.json is missing"),
        (lambda e: e.reverse(), "does not begin with manifest.json"),
        (lambda e: e.__setitem__(1, _entry("bundle/manifest.json", **_LINK)), "not a file of 2"),
        (lambda e: e.__setitem__(1, _entry("bundle/manifest.json", bytes(9))), "not a file of 2"),
        (lambda e: e.__setitem__(1, _entry("bundle/manifest.json", b"{}")), "was damaged"),
        (lambda e: e.__setitem__(0, _entry(MANIFEST, b"{")), "manifest.json: no JSON"),
        (lambda e: _rename_in_manifest(e, "bundle/../../evil"), "members.bundle/../../evil"),
        (lambda e: _rename_in_manifest(e, "/tmp/evil"), "members./tmp/evil"),  # noqa: S108
    ],
)
def test_a_forged_parcel_writes_nothing_outside(
    change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], said: str, tmp_path: Path
) -> None:
    forged(tmp_path / "a", change)
    (tmp_path / "in" / "out").mkdir(parents=True)
    with pytest.raises(InputError) as error:
        unpack(tmp_path / "a", tmp_path / "in" / "out")
    assert said in str(error.value)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]


def test_a_parcel_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    def claim(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        manifest = json.loads(entries[0][1])
        for member in manifest["members"].values():
            member["size"] = 5 << 30
        entries[0] = _entry(MANIFEST, json.dumps(manifest).encode())

    forged(tmp_path / "a", claim)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="holds more than 8 GiB"):
        unpack(tmp_path / "a", tmp_path / "out")


_camera = st.fixed_dictionaries(
    {},
    optional={
        "exposure_us": st.floats(1, 1e6),
        "gain_db": st.floats(-10, 30),
        "features": st.dictionaries(
            st.sampled_from(["Gamma", "BlackLevel", "ReverseX", "SensorMode"]),
            st.booleans()
            | st.integers(-(2**40), 2**40)
            | st.floats(-1e9, 1e9)
            | st.text(max_size=9),
        ),
    },
)
_fields = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 2**31 - 1),
        "deadline_ms": st.integers(1, 600_000),
        "view_fusion": st.sampled_from(["any", "mean"]),
        "minimum_region_area": st.floats(0, 1e6),
        "camera": st.dictionaries(st.text(min_size=1, max_size=8), _camera, max_size=3),
    },
)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_fields)
def test_a_recipe_arrives_as_it_left(nut: Path, fields: dict[str, Any]) -> None:
    edit_recipe(nut, **fields)
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        left = recipes.load(nut)
        export(left, there / "nut.effad")
        folder, recipe, fresh = take_up(there / "nut.effad", there / "library")
        assert (folder, fresh) == (there / "library" / "nut", True)
        found = recipes.load(folder, 1)
        assert found.recipe == recipe == left.recipe.model_copy(update={"bundle": recipe.bundle})
        assert found.bundle.sha256 == left.bundle.sha256
        assert found.calibration_sha256 == left.calibration_sha256
        assert store.active(folder) is None
        assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["nut"]
        export(found, there / "again.effad")
        assert (there / "again.effad").read_bytes() == (there / "nut.effad").read_bytes()


def test_export_and_import_by_command(nut: Path, effad_recipe: Recipes, tmp_path: Path) -> None:
    effad_recipe("edit", nut, "--set", "deadline_ms=900", "--activate")
    one, two, away = tmp_path / "nut-1.effad", tmp_path / "nut-2.effad", tmp_path / "other pc"
    assert effad_recipe("export", nut, one, "--version", 1).status == 0
    assert effad_recipe("export", nut, two).status == 0
    assert "exists; name another file" in effad_recipe("export", nut, two).err
    assert "version 2 taken up, not active" in effad_recipe("import", two, away).out
    assert "version 1 taken up, not active" in effad_recipe("import", one, away).out
    assert "is there already, with the same content" in effad_recipe("import", one, away).out
    assert effad_recipe("activate", away / "nut", "--version", 2).status == 0
    assert store.read(away / "nut").deadline_ms == 900
    assert store.versions(away / "nut") == (1, 2)
    assert len(list((away / "nut").glob("bundle-*"))) == 1
    mode = os.stat(away / "nut").st_mode & 0o777
    assert mode == 0o755, "the daemon is another user"
    assert effad_recipe("import", one, nut.parent).status == 0, (
        "the same here, whose bundle is beside"
    )


def test_a_version_with_other_content_is_not_overwritten(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    file, away = tmp_path / "a.effad", tmp_path / "away"
    effad_recipe("export", nut, file)
    effad_recipe("import", file, away)
    edit_recipe(nut, deadline_ms=800)
    effad_recipe("export", nut, tmp_path / "b.effad")
    before = content_of(away)
    status, _, err = effad_recipe("import", tmp_path / "b.effad", away)
    assert status == 2
    assert "version 1 exists, and" in err
    assert content_of(away) == before


def test_a_taken_number_is_refused(nut: Path, effad_recipe: Recipes, tmp_path: Path) -> None:
    effad_recipe("edit", nut, "--set", "id=7", "--activate")
    effad_recipe("export", nut, tmp_path / "a.effad")
    effad_recipe("edit", nut, "--set", "name=bolt", "--activate")
    nut.rename(nut.with_name("bolt"))
    status, _, err = effad_recipe("import", tmp_path / "a.effad", nut.parent)
    assert status == 2
    assert "number 7 is that of bolt" in err
    assert not nut.exists()


def test_what_a_killed_import_left_is_removed(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    effad_recipe("export", nut, tmp_path / "a.effad")
    left = tmp_path / "away" / ".import-killed" / "bundle"
    left.mkdir(parents=True)
    assert effad_recipe("import", tmp_path / "a.effad", tmp_path / "away").status == 0
    assert not left.parent.exists()


def test_a_version_without_a_valid_threshold_is_not_exported(
    nut: Path, effad_recipe: Recipes, tmp_path: Path
) -> None:
    effad_recipe("edit", nut, "--set", "alpha=0.4")
    status, _, err = effad_recipe("export", nut, tmp_path / "a.effad", "--version", 2)
    assert status == 2
    assert "alpha = 0.4" in err
    assert list(tmp_path.glob("*a.effad*")) == []
