"""Work ahead: in order, bounded, and errors where their result would come."""

import threading

import pytest

from training.ahead import ahead


def test_results_come_in_order_whoever_is_first() -> None:
    """The first waits until the last of those begun is done."""
    last = threading.Event()

    def make(number: int) -> int:
        if number == 0:
            assert last.wait(20)
        if number == 3:
            last.set()
        return number * number

    found = list(ahead(make, range(9), threads=4, depth=4))
    assert found == [n * n for n in range(9)]


def test_no_more_is_begun_than_asked_for() -> None:
    begun: list[int] = []

    def make(number: int) -> int:
        begun.append(number)
        return number

    made = ahead(make, range(100), threads=1, depth=3)
    for taken in range(10):
        assert next(made) == taken
        assert len(begun) <= taken + 1 + 3
    made.close()
    assert len(begun) <= 13
    assert not [t for t in threading.enumerate() if t.name.startswith("load")]


def test_an_error_comes_in_its_turn() -> None:
    def make(number: int) -> int:
        if number == 2:
            raise KeyError(number)
        return number

    made = ahead(make, range(5), threads=2, depth=5)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(KeyError):
        next(made)
    assert not [t for t in threading.enumerate() if t.name.startswith("load")]


def test_nothing_to_do() -> None:
    assert list(ahead(lambda n: n, [], threads=1, depth=2)) == []
