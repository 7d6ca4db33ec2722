"""Augmentation stays an image, and its seed decides it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.augment import CHOICES, TURNS, augment, colour_jitter, gamma, sharpness, turned


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 40))
def test_an_image_stays_an_image(seed: int, height: int, width: int) -> None:
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    before = image.clone()
    found = augment(image, np.random.default_rng(seed))
    assert found.shape == image.shape
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(found, augment(image, np.random.default_rng(seed)))
    assert torch.equal(image, before)


@pytest.mark.parametrize("kind", CHOICES)
def test_each_changes_an_image_and_keeps_its_likeness(kind: object) -> None:
    image = torch.rand(3, 30, 30) * 0.8 + 0.1
    found = augment_with(kind, image)
    assert not torch.equal(found, image)
    assert (found - image).abs().mean() < 0.3


def augment_with(kind: object, image: torch.Tensor) -> torch.Tensor:
    assert callable(kind)
    found = kind(image, np.random.default_rng(1))
    assert isinstance(found, torch.Tensor)
    return found


def test_all_three_are_chosen() -> None:
    image = torch.rand(3, 8, 8)
    plain = {
        kind.__name__: [kind(image, _after_choice(seed)) for seed in range(40)]
        for kind in (colour_jitter, sharpness, gamma)
    }
    chosen = set()
    for seed in range(40):
        found = augment(image, np.random.default_rng(seed))
        chosen |= {name for name, made in plain.items() if torch.equal(made[seed], found)}
    assert chosen == {"colour_jitter", "sharpness", "gamma"}


def _after_choice(seed: int) -> np.random.Generator:
    random = np.random.default_rng(seed)
    random.integers(len(CHOICES))
    return random


def test_a_grey_image_has_no_colour_afterwards() -> None:
    grey = torch.rand(1, 20, 20).expand(3, -1, -1)
    for seed in range(20):
        found = augment(grey, np.random.default_rng(seed))
        torch.testing.assert_close(found[0], found[2], atol=1e-5, rtol=0)


def test_turns_are_the_eight_of_a_square() -> None:
    image = torch.rand(3, 5, 5)
    found = [turned(image, turn) for turn in range(TURNS)]
    assert torch.equal(found[0], image)
    for place, one in enumerate(found):
        assert torch.equal(one.flatten().sort().values, image.flatten().sort().values)
        assert not any(torch.equal(one, other) for other in found[:place])
        assert torch.equal(one[:, 2, 2], image[:, 2, 2])
