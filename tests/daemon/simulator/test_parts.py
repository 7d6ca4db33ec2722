"""The drawn parts: the same for the same seed, and masked exactly where they are spoilt."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.simulator.drawing import scene
from daemon.simulator.parts import MASK_LEVELS, Defect, draw, main, sequence

SEEDS = st.integers(0, 2**64 - 1)
DEFECTS = st.sampled_from(Defect)
quick = settings(max_examples=25, deadline=None)


def outline(seed: int, size: int) -> NDArray[np.bool_]:
    """Where the part of a seed lies, its hole included, and two pixels around it for the blur."""
    pose, texture = (np.random.default_rng((seed, stream)) for stream in range(2))
    laid = scene(pose, texture, size).lie
    turned = [
        laid.x * math.cos(math.radians(a)) + laid.y * math.sin(math.radians(a))
        for a in (0, 60, 120)
    ]
    return np.asarray(np.abs(turned).max(axis=0) < 1 + 2 / laid.unit)


@quick
@given(SEEDS, st.none() | DEFECTS)
def test_same_arguments_give_the_same_bytes(seed: int, defect: Defect | None) -> None:
    first, _, again = draw(seed, defect, size=128), draw(7, size=128), draw(seed, defect, size=128)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.mask.tobytes() == again.mask.tobytes()


@pytest.mark.parametrize("defect", [None, *Defect])
@pytest.mark.parametrize("size", [96, 97, 256, 331, 1024])
def test_every_size_is_drawn(size: int, defect: Defect | None) -> None:
    part = draw(3, defect, size=size)
    assert part.image.shape == (size, size, 3)
    assert part.mask.shape == (size, size)
    assert part.image.dtype == part.mask.dtype == np.uint8
    assert part.image.flags.c_contiguous
    assert part.defect is defect
    assert set(np.unique(part.mask)) == ({0} if defect is None else {0, 255})


@quick
@given(SEEDS, DEFECTS, st.integers(96, 300))
def test_a_defect_is_on_the_part_and_nothing_else_changes(
    seed: int, defect: Defect, size: int
) -> None:
    good, spoilt = draw(seed, size=size), draw(seed, defect, size=size)
    change = np.abs(spoilt.image.astype(np.int16) - good.image).max(axis=2)
    masked = spoilt.mask > 0
    assert not good.mask.any()
    assert masked.any()
    assert not (masked & ~outline(seed, size)).any()
    assert change[~masked].max() <= MASK_LEVELS + 1  # the images are rounded, the mask is not
    assert change[masked].max() > 15  # or nobody would see it
    assert masked.mean() < 0.03


@given(st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_good_parts_differ_but_resemble_each_other(seed: int) -> None:
    one, other = draw(seed, size=128).image, draw(seed + 1, size=128).image
    assert (one != other).mean() > 0.5
    assert np.abs(one.astype(np.int16) - other).mean() < 40


def test_nothing_is_burnt_out_and_the_metal_is_brighter_than_the_plate() -> None:
    for seed in range(8):
        image = draw(seed, size=256).image
        assert (image == 255).mean() < 0.001
        assert image[128, 56:66].mean() > 1.5 * image[:20].mean()


def test_a_sequence_is_the_same_however_much_of_it_is_taken() -> None:
    short, long = list(sequence(5, 3, size=96)), list(sequence(5, 6, size=96))
    assert [part.image.tobytes() for part in short] == [p.image.tobytes() for p in long[:3]]
    assert len({part.image.tobytes() for part in long}) == 6


def test_a_sequence_has_defects_at_its_rate() -> None:
    assert all(part.defect is None for part in sequence(1, 8, defect_rate=0, size=96))
    assert all(part.mask.any() for part in sequence(1, 8, defect_rate=1, size=96))
    some = [part.defect for part in sequence(1, 100, defect_rate=0.4, size=96)]
    assert 25 <= sum(defect is not None for defect in some) <= 55
    assert set(some) == {None, *Defect}


@pytest.mark.parametrize("size", [0, 95, 2049])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size {size}: must be 96 to 2048"):
        draw(1, size=size)


ASKED = ["--good", "3", "--test-good", "2", "--each-defect", "1", "--size", "96"]


def test_the_command_writes_mvtec_layout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "new" / "nuts"
    assert main([str(root), *ASKED]) == 0
    assert "9 parts" in capsys.readouterr().err
    found = {str(path.relative_to(root)) for path in root.rglob("*.png")}
    wanted = {f"train/good/{i:03}.png" for i in range(3)} | {
        f"test/good/{i:03}.png" for i in range(2)
    }
    for defect in Defect:
        wanted |= {f"test/{defect}/000.png", f"ground_truth/{defect}/000_mask.png"}
    assert found == wanted
    images = [path.read_bytes() for path in root.rglob("*.png") if "ground" not in str(path)]
    assert len(set(images)) == 9
    mask = cv2.imread(str(root / "ground_truth/pit/000_mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == (96, 96)
    assert set(np.unique(mask)) == {0, 255}


def test_the_command_writes_the_same_set_again(tmp_path: Path) -> None:
    for name in "ab":
        main([str(tmp_path / name), *ASKED])
    for path in (tmp_path / "a").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["new", "--size", "20"], "--size 20: must be 96 to 2048 pixels"),
        (["new", "--good", "-1"], "argument --good: '-1' is not a whole number, 0 or more"),
        (["new", "--seed", "x"], "argument --seed: 'x' is not a whole number, 0 or more"),
        (["full"], "full: is not empty; give a new folder"),
        (["full/file"], "full/file: Not a directory"),
        ([], "the following arguments are required: DIR"),
    ],
)
def test_bad_input_ends_in_one_line(
    arguments: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"daemon.simulator.parts: {line}\n"
    assert not (tmp_path / "new").exists()
