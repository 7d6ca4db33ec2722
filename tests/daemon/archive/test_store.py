"""Whole or not at all, within the budget, and nothing touched that others wrote."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.archive.index import on_disk
from daemon.archive.read import read
from daemon.archive.store import LOCK, NoSpace, Store, check
from daemon.messages import Kind, Verdict
from models.errors import InputError
from tests.daemon.archive.offers import DAY_NS, NOON, kept, plan_, records, verdict_of

DAY, RECIPE = "2026-03-14", "nut.v1"


def store_of(folder: Path, *, budget: int = 100 << 20, leave_free: int = 0) -> Store:
    return Store(folder, plan_(budget=budget, leave_free=leave_free), lambda: False)


def write(store: Store, seq: int, kind: Kind = Kind.FAIL, triggered_ns: int = NOON) -> None:
    store.write(kept(seq, verdict=verdict_of(seq, kind, triggered_ns=triggered_ns)))


def really_used(folder: Path) -> int:
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != LOCK]
    return sum(on_disk(path.stat().st_size) for path in files)


def seqs(folder: Path) -> list[int]:
    return sorted(int(path.stem.split("_")[1]) for path in records(folder))


def test_what_is_found_at_a_start_is_what_was_written(tmp_path: Path) -> None:
    first = store_of(tmp_path)
    for seq, kind in enumerate([Kind.PASS, Kind.FAIL, Kind.NO_VERDICT] * 2):
        write(first, seq, kind, NOON + seq // 3 * DAY_NS)
    first.close()
    second = store_of(tmp_path)
    second.open()
    assert (second.images, second.used) == (first.images, first.used) == (6, first.used)
    assert second.used == really_used(tmp_path)


def test_what_was_left_unfinished_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    for seq in range(1, 5):
        write(store, seq)
    store.close()
    place = tmp_path / DAY / RECIPE
    names = {seq: f"nut_0000000{seq}_c_FAIL" for seq in range(1, 5)}
    (place / f"{names[1]}.json").unlink()  # killed before the JSON had its name
    (place / f"{names[2]}.json").write_bytes(b"")
    partial = place / f".{names[3]}.png.partial"
    partial.write_bytes(b"half")
    strangers = [
        *(place / "notes.json", place / "scratch.png", place / f"{names[3]}_overlay.png"),
        *(tmp_path / "README.txt", tmp_path / DAY / "total.npy", place / ".hidden"),
        tmp_path / "2026-xx-14" / RECIPE / "nut_00000001_c_FAIL.png",
    ]
    outside = tmp_path.with_name("outside")
    (outside / "r").mkdir(parents=True)
    (outside / "r" / "nut_00000009_c_FAIL.png").write_bytes(b"not ours")
    (tmp_path / "2026-03-15").symlink_to(outside)
    for path in strangers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"theirs")
    again = store_of(tmp_path)
    again.open()
    assert again.images == 2
    assert not partial.exists()
    ours = {path.name for path in place.iterdir() if path not in strangers}
    assert ours == {f"{names[seq]}{end}" for seq in (3, 4) for end in (".png", ".npy", ".json")}
    assert all(path.read_bytes() == b"theirs" for path in strangers)
    assert (outside / "r" / "nut_00000009_c_FAIL.png").exists()


def test_the_oldest_day_goes_first_and_of_a_day_the_good_ones(tmp_path: Path) -> None:
    order = [  # seq, kind, triggered: as they are to go
        (4, Kind.PASS, NOON - DAY_NS),
        (1, Kind.FAIL, NOON - DAY_NS - 2),
        (6, Kind.NO_VERDICT, NOON - DAY_NS + 5),
        (3, Kind.PASS, NOON + 1),
        (2, Kind.PASS, NOON + 2),
        (7, Kind.FAIL, NOON - 3),
        (5, Kind.FAIL, NOON),
    ]
    store = store_of(tmp_path)
    for seq, kind, triggered_ns in [order[n] for n in (3, 0, 6, 2, 5, 1, 4)]:
        write(store, seq, kind, triggered_ns)
    store.close()
    gone = []
    for _ in order:
        before = set(seqs(tmp_path))
        smaller = store_of(tmp_path, budget=really_used(tmp_path) - 1)
        smaller.open()
        smaller.close()
        gone += sorted(before - set(seqs(tmp_path)))
    assert gone == [seq for seq, _, _ in order]
    assert list(tmp_path.iterdir()) == [tmp_path / LOCK], "empty folders go as well"


def key(verdict: Verdict) -> tuple[int, bool, int]:
    noon = (verdict.triggered_ns - NOON) // DAY_NS
    return noon, verdict.verdict is not Kind.PASS, verdict.triggered_ns


IMAGES = st.lists(
    st.tuples(st.sampled_from(Kind), st.integers(0, 3), st.integers(0, 1000)), max_size=30
)


@settings(max_examples=50)
@given(images=IMAGES, budget=st.integers(30_000, 200_000))
def test_the_budget_is_kept_and_only_what_goes_first_is_deleted(
    images: list[tuple[Kind, int, int]], budget: int
) -> None:
    there: dict[int, Verdict] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = store_of(folder, budget=budget)
        for seq, (kind, day, later) in enumerate(images):
            verdict = verdict_of(seq, kind, triggered_ns=NOON + day * DAY_NS + later)
            before = dict(there)
            try:
                store.write(kept(seq, verdict=verdict))
                there[seq] = verdict
            except NoSpace:
                assert store.images == 0, "there was something to delete"
            left = set(seqs(folder))
            gone = [there.pop(number) for number in set(there) - left]
            assert set(there) == left
            if gone:
                kept_on = [key(there[number]) for number in left & set(before)]
                assert all(key(one) <= other for one in gone for other in kept_on)
            assert store.used == really_used(folder) <= budget
            assert store.images == len(there)
        store.close()


def test_the_space_to_be_left_free_comes_before_the_budget(tmp_path: Path) -> None:
    first = store_of(tmp_path)
    write(first, 1)
    write(first, 2)
    first.close()
    more_than_there_is = 1 << 60
    store = store_of(tmp_path, leave_free=more_than_there_is)
    with pytest.raises(NoSpace):
        write(store, 3)
    assert (seqs(tmp_path), store.images, store.used) == ([], 0, 0)
    assert list(tmp_path.iterdir()) == [tmp_path / LOCK]


def test_a_name_that_is_taken_gets_the_epoch(tmp_path: Path) -> None:
    """A journal that was lost lets seq begin anew, on the same day."""
    store = store_of(tmp_path)
    write(store, 1)
    write(store, 1)
    with pytest.raises(FileExistsError):
        write(store, 1)
    assert [p.stem for p in records(tmp_path)] == ["nut_00000001_c_FAIL", "nut_00000001_c_FAIL_7"]
    store.close()
    again = store_of(tmp_path)
    again.open()
    assert (again.images, again.used) == (2, store.used)


def test_images_that_somebody_else_deleted_are_no_trouble(tmp_path: Path) -> None:
    store = store_of(tmp_path, budget=60_000)
    for seq in range(1, 4):
        write(store, seq)
    for path in (tmp_path / DAY / RECIPE).iterdir():
        path.unlink()
    (tmp_path / DAY / RECIPE).rmdir()
    for seq in range(4, 12):
        write(store, seq)
    assert store.used == really_used(tmp_path) <= 60_000
    assert read(next(tmp_path.rglob("*.png"))).unchanged


def test_a_folder_has_one_effad(tmp_path: Path) -> None:
    first, second = store_of(tmp_path), store_of(tmp_path)
    first.open()
    with pytest.raises(OSError, match="another effad keeps its images there"):
        second.open()
    first.close()
    second.open()


def test_a_check_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    check(tmp_path / "not" / "yet" / "there")
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"images\.folder: .*/file/images cannot be written to"):
        check(tmp_path / "file" / "images")
