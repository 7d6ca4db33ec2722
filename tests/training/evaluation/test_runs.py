"""Keys keep the order of scores; runs come back from memory and from disk alike."""

import math
from typing import IO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from training.evaluation.runs import SortedRuns, keys, pieces, scores

FLOATS = st.floats(width=32, allow_nan=False)


@given(st.lists(FLOATS, min_size=2, max_size=2))
def test_keys_descend_as_scores_ascend_and_come_back(pair: list[float]) -> None:
    values = np.array(pair, np.float32)
    first, second = keys(values).tolist()
    assert (first > second) == (values[0] < values[1])
    assert (first == second) == (values[0] == values[1])
    assert (scores(keys(values)) == values).all()


def test_extremes_are_in_their_place() -> None:
    values = [math.inf, 1.0, 1e-45, 0.0, -1e-45, -1.0, -math.inf]
    found = keys(np.array(values, np.float32)).tolist()
    assert found == sorted(set(found))


@pytest.mark.parametrize("in_memory", [0, 50, 10_000])
def test_runs_are_the_same_in_memory_and_on_disk(in_memory: int) -> None:
    random = np.random.default_rng(0)
    made = [np.sort(random.integers(0, 1000, n).astype(np.uint32)) for n in (20, 0, 7, 30)]
    runs = SortedRuns(np.uint32, in_memory)
    for run in made:
        runs.append(run)
    assert len(runs) == 4
    for n, run in enumerate(made):
        assert np.array_equal(runs[n], run)
    edges = np.array([100, 500, 900])
    places = [runs.cut(n, edges) for n in (0, 1, 3)]
    found = np.concatenate(list(pieces(runs, (0, 1, 3), places, 1)))
    expected = [v for n in (0, 1, 3) for v in made[n].tolist() if 500 <= v < 900]
    assert found.tolist() == expected
    runs.close()


def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> IO[bytes]:
        return open("/dev/full", "r+b", buffering=0)

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    runs = SortedRuns(np.uint32, 0)
    with pytest.raises(InputError, match="full; name a folder with room"):
        runs.append(np.zeros(3, np.uint32))
    runs.close()
