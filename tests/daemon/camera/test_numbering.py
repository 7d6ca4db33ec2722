"""Trigger numbers have no hole and no double, whatever FrameIDs do."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.camera.numbering import MOST, Numbering


def test_a_gap_in_frame_ids_is_spoken_of() -> None:
    numbers = Numbering()
    numbers.started(0)
    assert list(numbers.frame(1)) == [1]
    assert list(numbers.frame(4)) == [2, 3, 4]


def test_ids_begin_again_with_each_acquisition() -> None:
    numbers = Numbering()
    numbers.started(None)
    numbers.frame(1)
    numbers.frame(2)
    assert list(numbers.started(None)) == []
    assert list(numbers.frame(1)) == [3]


def test_16_bits_wrap_to_1() -> None:
    numbers = Numbering()
    for frame_id in range(1, 65535):
        numbers.frame(frame_id)
    assert list(numbers.frame(65535)) == [65535]
    assert list(numbers.frame(1)) == [65536]
    assert list(numbers.frame(3)) == [65537, 65538]


def test_a_gap_across_the_wrap() -> None:
    numbers = Numbering()
    for frame_id in range(1, 65535):
        numbers.frame(frame_id)
    assert list(numbers.frame(2)) == [65535, 65536, 65537]


def test_the_counter_tells_what_no_frame_belongs_to() -> None:
    numbers = Numbering()
    numbers.started(0)
    numbers.frame(1)
    assert list(numbers.started(4)) == [2, 3, 4], "counted while the camera was away"
    assert list(numbers.frame(1)) == [5]


def test_a_counter_that_began_again_is_shifted() -> None:
    numbers = Numbering()
    numbers.started(10)
    numbers.frame(1)
    assert list(numbers.started(0)) == []
    assert list(numbers.frame(1)) == [12]
    assert list(numbers.started(3)) == [13, 14], "1 was seen, 2 and 3 were not"


def test_far_too_many_at_once_get_no_numbers() -> None:
    numbers = Numbering()
    assert len(numbers.started(MOST)) == MOST
    assert list(numbers.counted(2 * MOST + 1)) == []
    assert (numbers.last, numbers.unnumbered) == (MOST, MOST + 1)
    assert list(numbers.counted(2 * MOST + 3)) == [MOST + 1, MOST + 2], "and it goes on"
    assert list(numbers.frame(1)) == [MOST + 3]
    numbers.unnumbered = 0
    assert list(numbers.frame(1 << 60)) == [MOST + 4], "a FrameID that is garbage"
    assert numbers.unnumbered == (1 << 60) - 2
    assert list(numbers.frame((1 << 60) + 1)) == [MOST + 5]


@given(st.lists(st.integers(0, 1 << 62), max_size=30))
def test_no_counter_opens_more_than_can_be_spoken_of(counters: list[int]) -> None:
    numbers = Numbering()
    for counter in counters:
        last = numbers.last
        new = numbers.counted(counter)
        assert len(new) <= MOST
        assert new.start == last + 1
        assert new.stop == numbers.last + 1


@given(st.lists(st.integers(1, 70000), max_size=50), st.integers(0, 1000))
def test_no_hole_and_no_double(frame_ids: list[int], counter: int) -> None:
    numbers = Numbering()
    spoken = list(numbers.started(counter))
    for frame_id in frame_ids:
        new = numbers.frame(frame_id)
        assert len(new) >= 1, "each frame is a trigger"
        spoken += new
    assert spoken == list(range(1, numbers.last + 1))
