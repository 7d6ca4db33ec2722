"""Teacher's input and backbone's features of the same cells, computed or kept."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import InputNorm
from models.errors import InputError
from models.pdn import PdnSize, pdn
from models.precision import Precision
from tests.training.distillation.patches import CHANNELS, CPU, Patches
from training.distillation.kept import Kept, Seen, Window
from training.distillation.targets import RIM, WHOLE, Targets, Wanted
from training.distillation.views import NaturalImages, View, Views, resized


@pytest.fixture
def views(natural: Path) -> list[View]:
    every = Views(NaturalImages.split(natural).train, seed=0, fixed=1)
    return [every[n] for n in range(4)]


@pytest.mark.parametrize("size", PdnSize)
def test_the_cells_of_a_window_are_those_of_the_tile(size: PdnSize) -> None:
    net = pdn(size, 3)
    tile = torch.randn(1, 3, 256, 256)
    window = Window(row=7, column=45, cells=11)
    with torch.inference_mode():
        whole, cut = net(tile), net(window.pixels(tile))
    torch.testing.assert_close(cut, whole[..., 7:18, 45:56], rtol=1e-5, atol=1e-6)


@settings(max_examples=30)
@given(st.integers(1, 56), st.integers(0, 55), st.integers(0, 55))
def test_a_windows_pixels_are_those_its_cells_see(cells: int, row: int, column: int) -> None:
    window = Window(min(row, 56 - cells), min(column, 56 - cells), cells)
    places = torch.arange(256).expand(256, 256)
    seen = window.pixels(places)
    assert seen.shape == (4 * cells + 32, 4 * cells + 32)
    assert seen[0, 0] == 4 * window.column
    assert window.pixels(places.T)[0, 0] == 4 * window.row
    assert torch.arange(56)[window.area()[0]].tolist() == list(
        range(window.row, window.row + cells)
    )


def test_pixels_and_features_are_of_the_same_cells(views: list[View], backbone: Patches) -> None:
    """Against the backbone on the tile itself, cut afterwards."""
    targets = Targets(backbone, CPU, Precision.FP32)
    windows = [WHOLE, WHOLE, WHOLE, WHOLE]
    batch = targets.now([Wanted(v, w) for v, w in zip(views, windows, strict=True)])
    assert batch.tiles.shape == (4, 3, 256, 256)
    assert batch.features.shape == (4, 56, 56, CHANNELS)
    tiles = torch.stack([resized(view.square().on(CPU), 256) for view in views])
    assert torch.equal(batch.tiles, tiles)
    grid = backbone.net(InputNorm()(tiles)).permute(0, 2, 3, 1)
    assert grid.shape[1:3] == (64, 64)
    torch.testing.assert_close(batch.features, grid[:, RIM:-RIM, RIM:-RIM])

    window = Window(3, 40, 5)
    cut = targets.now([Wanted(view, window) for view in views])
    assert torch.equal(cut.tiles, tiles[..., 12:64, 160:212])
    torch.testing.assert_close(cut.features, batch.features[:, 3:8, 40:45])


def test_what_is_kept_is_what_was_computed(
    views: list[View], backbone: Patches, tmp_path: Path
) -> None:
    wanted = [Wanted(view, Window(n, 2 * n, 9)) for n, view in enumerate(views)]
    plain = Targets(backbone, CPU, Precision.FP32).now(wanted)
    targets = Targets(backbone, CPU, Precision.FP32, Kept(tmp_path / "kept"))
    before = backbone.images
    first = targets.now(wanted)
    assert backbone.images == before + 4
    again = targets.now(wanted)
    assert backbone.images == before + 4, "the backbone has run again"
    for computed, missed, hit in zip(plain, first, again, strict=True):
        assert torch.equal(missed, hit)
        assert torch.equal(missed, computed.half().float())
    whole = targets.now([Wanted(view, WHOLE) for view in views])
    assert torch.equal(whole.features[2, 2:11, 4:13], first.features[2])


def test_a_view_kept_since_it_was_read_ahead_is_not_computed_again(
    views: list[View], backbone: Patches, tmp_path: Path
) -> None:
    targets = Targets(backbone, CPU, Precision.FP32, Kept(tmp_path))
    wanted = [Wanted(views[0], WHOLE), Wanted(views[0], Window(0, 0, 56))]
    ahead = targets.read(wanted)
    first = targets.now(wanted)
    assert backbone.images == 1, "twice in a batch is once for the backbone"
    later = targets.batch(wanted, ahead)
    assert backbone.images == 1
    assert torch.equal(first.features, later.features)


def test_a_damaged_file_is_one_line(views: list[View], backbone: Patches, tmp_path: Path) -> None:
    targets = Targets(backbone, CPU, Precision.FP32, Kept(tmp_path))
    targets.now([Wanted(views[0], WHOLE)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"^/[^\n]*safetensors: damaged; remove it$"):
        targets.now([Wanted(views[0], WHOLE)])


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_half(views: list[View], tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    seen = Seen(torch.rand(3, 256, 256), torch.rand(56, 56, CHANNELS))
    with full_disk(10_000), pytest.raises(InputError, match=r"cannot be written .*; make room"):
        kept.keep(views[0], seen)
    assert list(tmp_path.iterdir()) == []
    kept.keep(views[0], seen)
    assert kept.has(views[0])


def test_bf16_rounds_the_backbone_alone(views: list[View], backbone: Patches) -> None:
    wanted = [Wanted(views[0], WHOLE)]
    plain = Targets(backbone, CPU, Precision.FP32).now(wanted)
    found = Targets(backbone, CPU, Precision.BF16).now(wanted)
    assert torch.equal(found.tiles, plain.tiles)
    assert not torch.equal(found.features, plain.features)
    torch.testing.assert_close(found.features, plain.features, rtol=0.02, atol=0.03)
