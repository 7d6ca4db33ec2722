"""Real-IAD is read and restructured so that no part stands on both sides of a split."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from tests.training.data import replicas
from training.data.masks import read_mask
from training.data.read import read_data
from training.data.real_iad import read_real_iad, read_split
from training.data.restructure import ORIGIN, Restructured, restructure
from training.data.samples import DataSet, Sample

SIZE = replicas.SIZE


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a category; not to be changed."""
    return replicas.real_iad(tmp_path_factory.mktemp("Real-IAD"))


@pytest.fixture
def own(source: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(source.parent.parent, tmp_path / "own")
    return tmp_path / "own" / source.parent.name / source.name


def known(samples: tuple[Sample, ...], *, mask: bool = True) -> Counter[tuple[object, ...]]:
    """What is known of each image: content, part, view, defect, and how much its mask marks."""
    found: Counter[tuple[object, ...]] = Counter()
    for s in samples:
        marked = read_mask(s, SIZE, SIZE) if mask else None
        area = None if marked is None else int(marked.sum())
        found[(s.path.read_bytes(), s.part, s.view, s.defect, area)] += 1
    return found


def test_uiad_tests_a_part_with_all_its_views(source: Path) -> None:
    split = read_split(source)
    assert split.data == read_data(source)
    assert split.data.layout == "real-iad"
    assert split.moved == 1
    assert {s.part for s in split.data.train} == {f"S{n:04}" for n in range(1, 5)}
    assert all(s.good for s in split.data.train)
    views = Counter(s.part for s in split.data.test)
    assert views == dict.fromkeys(("S0005", "S0006", "HS_S0001", "HS_S0002", "HS_S0003"), 5)
    defects = {(s.part, s.view) for s in split.data.test if not s.good}
    assert defects == {(f"HS_S000{n}", f"C{v}") for n in (1, 2, 3) for v in (1, 2, 3)}


def test_fuiad_trains_on_defects(source: Path) -> None:
    data = read_split(source, "fuiad", 0.1).data
    assert Counter(s.defect for s in data.train) == {None: 22, "HS": 3}
    with pytest.raises(InputError, match=r"no split for fuiad; unpack realiad_jsons_fuiad_0\.4/"):
        read_split(source, "fuiad", 0.4)


def test_restructured_data_says_the_same(source: Path, tmp_path: Path) -> None:
    done = restructure(source, tmp_path / "out")
    assert done.fresh
    assert done.folder == tmp_path / "out" / "plastic_nut"
    found, was = read_data(done.folder), read_real_iad(source)
    assert found.layout == "mvtec"
    assert known(found.train) == known(was.train)
    assert known(found.test) == known(was.test)
    assert (done.folder / "train" / "good" / "S0001_C1.jpg").is_file()
    assert (done.folder / "ground_truth" / "HS" / "HS_S0002_C3_mask.png").is_file()


def test_a_contaminated_set_looks_good_but_is_known(source: Path, tmp_path: Path) -> None:
    done = restructure(source, tmp_path, "fuiad", 0.1)
    assert [p.name for p in (done.folder / "train").iterdir()] == ["good"]
    was = read_split(source, "fuiad", 0.1).data
    assert known(read_data(done.folder).train, mask=False) == known(was.train, mask=False)
    assert known(read_data(done.folder / "train" / "good").train, mask=False) == known(
        was.train, mask=False
    )


def test_links_point_to_the_source(source: Path, tmp_path: Path) -> None:
    done = restructure(source, tmp_path, link=True)
    images = [s.path for s in read_data(done.folder).train]
    assert all(p.is_symlink() and p.resolve().is_relative_to(source.resolve()) for p in images)


def test_what_is_done_is_found(source: Path, tmp_path: Path) -> None:
    first = restructure(source, tmp_path)
    times = {p: p.stat().st_mtime_ns for p in first.folder.rglob("*")}
    assert restructure(source, tmp_path) == Restructured(
        first.folder, first.data, first.moved, fresh=False
    )
    assert {p: p.stat().st_mtime_ns for p in first.folder.rglob("*")} == times


def test_a_stopped_run_goes_on(own: Path, tmp_path: Path) -> None:
    """The last image cannot be copied; what was, is not copied again."""
    last = read_real_iad(own).test[-1].path
    content = last.read_bytes()
    last.unlink()
    last.mkdir()
    last.joinpath("x").touch()
    target = tmp_path / "out"
    with pytest.raises(InputError, match="not there"):
        restructure(own, target)
    assert not target.exists()
    shutil.rmtree(last)
    last.write_bytes(content)
    last.chmod(0o644)
    whole = restructure(own, tmp_path / "whole").folder
    partial = target / ".plastic_nut.partial"
    shutil.copytree(whole, partial)
    (partial / "parts.csv").unlink()
    (partial / "test" / "good" / "S0005_C1.jpg").unlink()
    (partial / "test" / "good" / "S0005_C2.jpg").write_bytes(b"cut off")
    kept = partial / "test" / "good" / "S0005_C3.jpg"
    inode = kept.stat().st_ino
    done = restructure(own, target)
    assert done.fresh
    assert not partial.exists()
    assert (done.folder / "test" / "good" / "S0005_C3.jpg").stat().st_ino == inode
    assert known(read_data(done.folder).test) == known(read_data(whole).test)


def test_other_content_is_never_written_over(source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="holds mine, which is something else"):
        restructure(source, tmp_path)
    done = restructure(source, tmp_path / "out")
    with pytest.raises(InputError, match="made with setting = uiad, not fuiad"):
        restructure(source, tmp_path / "out", "fuiad", 0.1)
    with pytest.raises(InputError, match="made with linked = False, not True"):
        restructure(source, tmp_path / "out", link=True)
    (done.folder / ORIGIN).unlink()
    with pytest.raises(InputError, match="holds plastic_nut, which is something else"):
        restructure(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("OK/S0001/", "OK/S0009/", r"names 5 files that are not there, such as .*OK/S0009"),
        ("_C1_", "_X1_", r"must be OK/<sample>/<name>_C<view>_<time>"),
        ('"test"', '"tests"', r"key 'test' is missing"),
        ('"OK/S0001/', '"../OK/S0001/', r"\.\./OK/S0001/.*: must be OK"),
        ('{"meta"', '"meta"', "no JSON"),
    ],
)
def test_faults_of_a_split_are_one_line(own: Path, old: str, new: str, said: str) -> None:
    split = own.parent.parent / "realiad_jsons" / "realiad_jsons" / f"{own.name}.json"
    split.write_text(split.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        read_split(own)


SIDES = st.lists(
    st.tuples(
        st.sampled_from(["OK", "NG/BX", "NG/HS"]),
        st.integers(1, 4),
        st.sampled_from(replicas.VIEWS),
        st.integers(1, 2),  # time: a view may be taken again
        st.booleans(),
    ),
    min_size=1,
    unique_by=lambda drawn: drawn[:4],
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(SIDES)
def test_no_part_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int, str, int, bool]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    folder = root / "realiad_256" / "toy"
    sides: dict[str, list[dict[str, str | None]]] = {"train": [], "test": []}
    for place, number, view, time, trained in drawn:
        image = f"{place}/S{number:04}/toy_{number:04}_{view}_{time}.png"
        seed = len(sides["train"]) + len(sides["test"])
        replicas.write(folder / image, np.full((4, 4), seed, np.uint8))
        sides["train" if trained else "test"].append(
            {"category": "toy", "anomaly_class": "OK", "image_path": image, "mask_path": None}
        )
    replicas.write_split(root / "realiad_jsons" / "realiad_jsons" / "toy.json", "toy", sides)
    split = read_split(folder)
    _assert_apart(split.data, len(drawn))
    tested = {(place, number) for place, number, *_, trained in drawn if not trained}
    assert split.moved == sum(t and (p, n) in tested for p, n, *_, t in drawn)
    _assert_apart(read_data(restructure(folder, root / "out").folder), len(drawn))


def _assert_apart(data: DataSet, images: int) -> None:
    assert not {s.part_key for s in data.train} & {s.part_key for s in data.test}
    content = [s.path.read_bytes() for s in (*data.train, *data.test)]
    assert len(content) == len(set(content)) == images
