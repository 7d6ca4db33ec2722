"""Slots that CUDA has registered, where there is a GPU."""

import pytest
import torch

from daemon.pinning import pin, unpin
from daemon.slots import Slots


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_pinned_slot_is_uploaded_without_waiting() -> None:
    slots = Slots.create(2, 1 << 20)
    pin(slots)
    frame = torch.from_numpy(slots.pixels(1))
    frame.fill_(7)
    assert frame.is_pinned()
    there = frame.to("cuda", non_blocking=True)
    torch.cuda.synchronize()
    assert bool((there == 7).all())
    unpin(slots)
    slots.close()
