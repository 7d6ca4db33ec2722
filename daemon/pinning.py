"""Slots registered with CUDA: an upload from them needs no copy, and nobody waits for it."""

import torch

from daemon.slots import Slots
from models.errors import InputError


def pin(slots: Slots) -> None:
    """Lock the slots' pages for CUDA; raises ``InputError`` where that is not allowed."""
    cudart = torch.cuda.cudart()  # type: ignore[no-untyped-call]
    status = int(cudart.cudaHostRegister(slots.address, slots.total, 0))
    if status:
        raise InputError(
            f"CUDA cannot lock {slots.total / 1e6:.0f} MB of slots (error {status}); raise"
            " LimitMEMLOCK in the unit (ulimit -l), or lower the camera's 'slots'"
        )


def unpin(slots: Slots) -> None:
    """Take the registration back, before the slots are unmapped."""
    torch.cuda.cudart().cudaHostUnregister(slots.address)  # type: ignore[no-untyped-call]
