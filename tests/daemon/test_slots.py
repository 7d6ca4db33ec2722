"""Slots have owners that survive a crash, and memory that is reserved at once."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.slots import Owner, Slots
from models.errors import InputError


def test_a_slot_goes_round() -> None:
    slots = Slots.create(2, 10)
    first = slots.take()
    assert first is not None
    slots.pixels(first)[:] = 7
    slots.hand_over(first)
    assert slots.owner(first) is Owner.DAEMON
    assert slots.take() != first
    assert slots.take() is None
    slots.give_back(first)
    assert slots.take() == first
    slots.close()


CHILD = """
import sys
from daemon.slots import Slots
slots = Slots(int(sys.argv[1]), 3, 5000)
kept, handed = slots.take(), slots.take()
slots.pixels(handed)[:] = 42
slots.hand_over(handed)
print(handed, flush=True)
sys.stdin.read()
"""


def test_slots_outlive_the_process_that_held_them() -> None:
    slots = Slots.create(3, 5000)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(slots.descriptor)],
        pass_fds=[slots.descriptor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        handed = int(child.stdout.readline())
        child.kill()
    assert slots.free() == 1
    assert slots.reclaim({handed}) == 1, "what the dead process held is free again"
    assert slots.owner(handed) is Owner.DAEMON
    assert (slots.pixels(handed) == 42).all()
    assert slots.reclaim(set()) == 1, "handed over without a word: nobody will give it back"
    assert slots.free() == 3
    slots.close()


@given(st.lists(st.sampled_from(["take", "hand_over", "give_back"]), max_size=60))
def test_no_slot_is_lost_or_taken_twice(steps: list[str]) -> None:
    slots = Slots.create(3, 1)
    camera: list[int] = []
    daemon: list[int] = []
    for step in steps:
        if step == "take":
            slot = slots.take()
            assert (slot is None) == (len(camera) + len(daemon) == 3)
            if slot is not None:
                assert slot not in camera + daemon
                camera.append(slot)
        elif step == "hand_over" and camera:
            daemon.append(camera.pop())
            slots.hand_over(daemon[-1])
        elif step == "give_back" and daemon:
            slots.give_back(daemon.pop())
        assert slots.free() == 3 - len(camera) - len(daemon)
    slots.close()


def test_slots_do_not_overlap() -> None:
    slots = Slots.create(3, 4097)
    for slot in range(3):
        slots.pixels(slot)[:] = slot + 1
    for slot in range(3):
        assert (slots.pixels(slot) == slot + 1).all()
    assert slots.owner(0) is Owner.NOBODY
    slots.close()


def test_pages_are_reserved_at_once() -> None:
    slots = Slots.create(4, 1 << 20)
    assert os.fstat(slots.descriptor).st_blocks * 512 >= 4 << 20
    slots.close()


def test_too_much_memory_is_an_error_at_the_start() -> None:
    with pytest.raises(InputError, match="lower the camera's 'slots', or free memory"):
        Slots.create(4096, 1 << 46)


def test_pixels_are_a_view() -> None:
    slots = Slots.create(1, 8)
    view = slots.pixels(0)
    slots.pixels(0)[3] = 9
    assert view[3] == 9
    assert view.dtype == np.uint8
    slots.close()
