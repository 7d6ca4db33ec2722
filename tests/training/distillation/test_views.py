"""Views: what is cut of an image, and in what order."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from models.errors import InputError
from models.images import read_rgb, to_tensor
from training.distillation.views import NaturalImages, Square, View, Views, resized, square

CPU = torch.device("cpu")


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 90), st.integers(1, 90))
def test_a_square_is_cut_of_the_image(seed: int, height: int, width: int) -> None:
    """Each pixel holds its own place, so that where a square was cut can be read from it."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([rows, columns, torch.zeros_like(rows)]).to(torch.uint8)
    cut, _ = square(image, np.random.default_rng(seed))
    _, side, across = cut.shape
    assert side == across
    assert side >= min(height, width, 32)
    assert side >= int(0.6 * min(height, width))
    assert torch.equal(cut[0, :, 0], cut[0, 0, 0] + torch.arange(side))
    steps = cut[1, 0].int().diff()
    assert (steps == 1).all() or (steps == -1).all(), "as it is, or flipped"


def test_a_third_is_grey_and_a_half_flipped() -> None:
    image = torch.arange(40, dtype=torch.uint8).expand(3, 40, 40)
    made = [square(image, np.random.default_rng(seed)) for seed in range(600)]
    assert 0.25 < np.mean([view.grey for view in made]) < 0.35
    assert (
        0.44 < np.mean([bool(view.pixels[0, 0, 0] > view.pixels[0, 0, -1]) for view in made]) < 0.56
    )


def test_grey_is_the_mean_of_the_colours() -> None:
    pixels = torch.randint(0, 256, (3, 5, 5), dtype=torch.uint8)
    torch.testing.assert_close(Square(pixels, grey=False).on(CPU), pixels / 255)
    mean = (pixels / 255).mean(dim=0)
    torch.testing.assert_close(Square(pixels, grey=True).on(CPU), mean.expand(3, 5, 5))


def test_a_view_is_the_same_each_time(natural: Path) -> None:
    view = View(natural / "03.png", seed=1, image=3, number=7)
    first, again = view.square(), view.square()
    assert torch.equal(first.pixels, again.pixels)
    whole = to_tensor(read_rgb(view.path))
    assert first.pixels.float().mean() / 255 == pytest.approx(whole.mean().item(), abs=0.15)
    others = [view._replace(number=8), view._replace(seed=2), view._replace(image=4)]
    assert not any(torch.equal(first.pixels, other.square().pixels) for other in others)
    assert len({v.name for v in [view, *others, view._replace(path=natural / "04.png")]}) == 5


def test_the_teacher_gets_half_the_backbones_input() -> None:
    image = torch.rand(3, 512, 512)
    found = resized(image, 256)
    assert found.shape == (3, 256, 256)
    # Bilinear and antialiased, by two: weights 1 3 3 1.
    line = torch.tensor([1.0, 3, 3, 1]) / 8
    kernel = torch.outer(line, line)[None, None]
    plain = functional.conv2d(image[:, None], kernel, stride=2, padding=1)[:, 0]
    torch.testing.assert_close(found[:, 1:-1, 1:-1], plain[:, 1:-1, 1:-1], rtol=1e-5, atol=1e-5)


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(0, 1000), st.integers(0, 3))
def test_each_image_comes_once_an_epoch(count: int, seed: int, fixed: int) -> None:
    views = Views([Path(str(n)) for n in range(count)], seed, fixed)
    for epoch in range(4):
        seen = [views[epoch * count + place] for place in range(count)]
        assert Counter(view.path for view in seen) == Counter(views.paths)
        assert {view.number for view in seen} == {epoch % fixed if fixed else epoch}
        assert all(views.paths[view.image] == view.path for view in seen)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    paths = [Path(str(n)) for n in range(50)]
    orders = [
        [Views(paths, seed)[epoch * 50 + n].image for n in range(50)]
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_a_tenth_is_held_out_and_never_trained_on(tmp_path: Path) -> None:
    for place in range(35):
        (tmp_path / f"{place:02}.png").touch()
    found = NaturalImages.split(tmp_path)
    assert [p.name for p in found.held_out] == ["00.png", "10.png", "20.png", "30.png"]
    assert len(found.train) == 31
    assert not set(found.train) & set(found.held_out)


def test_of_many_images_32_are_held_out(tmp_path: Path) -> None:
    for place in range(700):
        (tmp_path / f"{place:03}.jpg").touch()
    found = NaturalImages.split(tmp_path)
    assert len(found.held_out) == 32
    assert len(found.train) == 668
    assert {p.name for p in found.held_out[:3]} == {"000.jpg", "021.jpg", "042.jpg"}


def test_images_in_folders_are_found(tmp_path: Path) -> None:
    """As ImageNet has them, a folder a class."""
    for name in ("b/2.JPEG", "a/1.png", "a/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = NaturalImages.split(tmp_path)
    assert [p.name for p in (*found.held_out, *found.train)] == ["1.png", "2.JPEG"]


def test_a_single_image_serves_both(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    found = NaturalImages.split(tmp_path)
    assert found.train == found.held_out == (tmp_path / "1.png",)


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images here"):
        NaturalImages.split(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        NaturalImages.split(tmp_path / "none")


def test_a_set_is_named_by_its_contents(natural: Path, tmp_path: Path) -> None:
    name = NaturalImages.split(natural).digest()
    for path in natural.iterdir():
        (tmp_path / f"renamed-{path.name}").write_bytes(path.read_bytes())
    assert NaturalImages.split(tmp_path).digest() == name
    image = np.zeros((8, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "one-more.png"), image)
    assert NaturalImages.split(tmp_path).digest() != name


def test_an_unreadable_image_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"^/[^\n]*1.png: not a readable image[^\n]*$"):
        View(path, 0, 0, 0).square()
