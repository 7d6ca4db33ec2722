"""Devices are found by name, and a batch that fits by halving."""

import psutil
import pytest
import torch

from models.errors import InputError
from training.device import MOST_CACHED, find_device, fitting, room


def test_the_default_is_what_there_is() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device(None).type == expected
    assert find_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "meta", "", "cuda:99"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"^device = {name}: "):
        find_device(name)


@pytest.mark.parametrize(
    ("batch", "holds", "fits"), [(8, 3, 2), (8, 4, 4), (6, 5, 3), (2, 1, 1), (7, 0, 0), (1, 0, 0)]
)
def test_the_largest_half_that_fits(batch: int, holds: int, fits: int) -> None:
    tried = []

    def attempt(size: int) -> None:
        tried.append(size)
        if size > holds:
            raise torch.OutOfMemoryError

    assert fitting(attempt, batch) == fits
    assert tried == [batch >> n for n in range(1, len(tried) + 1)]


def test_a_cache_takes_a_small_part_of_the_memory() -> None:
    memory = psutil.virtual_memory().total
    assert room(torch.device("cpu")) == pytest.approx(min(MOST_CACHED, memory / 8), rel=0.01)
